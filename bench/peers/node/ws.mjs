// Node `ws`: what Redis brings is framed once, and the same bytes are written to every socket.
import { createServer } from 'node:http'
import { Sender, WebSocketServer } from 'ws'
import { listen, messages, redis } from './common.mjs'

const CHANNEL = 'peer.ws'
const publisher = redis()
const subscriber = redis()
const sockets = new Set()

const server = createServer(messages(message => publisher.publish(CHANNEL, JSON.stringify({ type: 'event', data: message }))))
const wss = new WebSocketServer({ server, path: '/ws', perMessageDeflate: false, clientTracking: false })
wss.on('connection', (client, request) => {
  sockets.add(request.socket)
  client.on('close', () => sockets.delete(request.socket))
  client.on('error', () => {})
  client.send('ready')
})

subscriber.subscribe(CHANNEL)
subscriber.on('messageBuffer', (channel, data) => {
  const frame = Buffer.concat(Sender.frame(data, { fin: true, opcode: 1, mask: false, readOnly: true, rsv1: false }))
  for (const socket of sockets) socket.write(frame)
})

listen(server)
