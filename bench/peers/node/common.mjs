// What the Node servers share: their connections, where they listen, and how a message is stored.
import { Redis } from 'ioredis'
import pg from 'pg'

export const redis = () => new Redis({ port: Number(process.env.REDIS_PORT), host: '127.0.0.1' })

export const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 8 })

export function listen(server) {
  const at = process.env.LISTEN
  server.keepAliveTimeout = 75_000 // longer than nginx keeps connections, or it may send on one that closes in that moment
  server.listen(at.startsWith('/') ? { path: at, backlog: 4096 } : { port: Number(at), host: '127.0.0.1', backlog: 4096 }, () => console.log('ready'))
}

// A prepared statement and one round trip: membership is checked where the message is written.
const SEND = {
  name: 'send',
  text: `insert into peer.messages (chat_id, sender_id, content)
         select p.chat_id, p.user_id, $3 from peer.participants p where p.chat_id = $1 and p.user_id = $2
         returning id, created_at`
}

export async function store(chatId, senderId, content) {
  const { rows } = await pool.query({ ...SEND, values: [chatId, senderId, content] })
  if (!rows.length) throw new Error('not a participant')
  return { id: rows[0].id, content, senderId, chatId, createdAt: rows[0].created_at.toISOString(), isEdited: false, editedAt: null }
}

// POST {chatId, senderId, content}; `publish` tells the others.
export function messages(publish) {
  return (request, response) => {
    let text = ''
    request.setEncoding('utf8')
    request.on('data', part => { text += part })
    request.on('end', async () => {
      try {
        const { chatId, senderId, content } = JSON.parse(text)
        const message = await store(chatId, senderId, content)
        publish(message)
        const answer = JSON.stringify(message)
        response.writeHead(201, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(answer) }).end(answer)
      } catch (error) {
        response.writeHead(500, { 'Content-Length': 0 }).end()
        console.error(error.message)
      }
    })
  }
}
