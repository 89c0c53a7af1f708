// Socket.IO with its Redis adapter, by its page on performance: WebSocket only, bufferutil, the first request dropped.
import { createServer } from 'node:http'
import { createAdapter } from '@socket.io/redis-adapter'
import { Server } from 'socket.io'
import { listen, messages, redis } from './common.mjs'

const server = createServer(messages(message => io.to(message.chatId).emit('messageAdded', message)))
const io = new Server(server, {
  path: '/ws',
  addTrailingSlash: false,
  transports: ['websocket'],
  serveClient: false,
  perMessageDeflate: false,
  adapter: createAdapter(redis(), redis())
})
// Requests for other paths are ours.
io.engine.on('connection', socket => { socket.request = null })
io.on('connection', socket => { socket.join(socket.handshake.auth.chat) })

listen(server)
