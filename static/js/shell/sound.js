/** One short sound for a new message, made here: two soft tones, the second a fourth higher. */
const TONES = [[587.33, 0], [783.99, 0.11]]; // Hz, seconds from now
const LOUDNESS = 0.07;
const SECONDS = 0.35;

let context = null;

/** Browsers allow sound only in pages that somebody has clicked or typed in. */
export const maySound = () => "AudioContext" in globalThis && navigator.userActivation?.hasBeenActive !== false;

export async function playSound() {
  context ??= new AudioContext();
  if (context.state === "suspended") await context.resume();
  for (const [frequency, after] of TONES) {
    const start = context.currentTime + after;
    const tone = new OscillatorNode(context, { type: "sine", frequency });
    const volume = new GainNode(context, { gain: 0 });
    volume.gain.setValueAtTime(0, start);
    volume.gain.linearRampToValueAtTime(LOUDNESS, start + 0.015);
    volume.gain.exponentialRampToValueAtTime(0.0001, start + SECONDS);
    tone.connect(volume).connect(context.destination);
    tone.start(start);
    tone.stop(start + SECONDS);
  }
}
