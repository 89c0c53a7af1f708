// Node `ws`: what Redis brings is framed once, and the same bytes are written to every socket.
import { createServer } from 'node:http'
import { Sender, WebSocketServer } from 'ws'
import { listen, messages, redis } from './common.mjs'

const CHANNEL = 'peer.ws.' // and the chat's id: a process hears the chats that it has sockets of
const publisher = redis()
const subscriber = redis()
const chats = new Map() // channel → sockets

const server = createServer(messages(message =>
  publisher.publish(CHANNEL + message.chatId, JSON.stringify({ type: 'event', data: message }))))
const wss = new WebSocketServer({ server, path: '/ws', perMessageDeflate: false, clientTracking: false })
wss.on('connection', async (client, { url, socket }) => {
  const channel = CHANNEL + new URL(url, 'http://localhost').searchParams.get('chat')
  if (!chats.has(channel)) {
    chats.set(channel, new Set())
    await subscriber.subscribe(channel)
  }
  chats.get(channel).add(socket)
  client.on('close', () => chats.get(channel).delete(socket))
  client.on('error', () => {})
  client.send('ready')
})

subscriber.on('messageBuffer', (channel, data) => {
  const frame = Buffer.concat(Sender.frame(data, { fin: true, opcode: 1, mask: false, readOnly: true, rsv1: false }))
  for (const socket of chats.get(channel.toString())) socket.write(frame)
})

listen(server)
