// graphql-ws, graphql-redis-subscriptions and pg: subscriptions filtered by membership, mutations over HTTP.
import { createServer } from 'node:http'
import { makeExecutableSchema } from '@graphql-tools/schema'
import { parse, validate } from 'graphql'
import { createHandler } from 'graphql-http/lib/use/http'
import { RedisPubSub } from 'graphql-redis-subscriptions'
import { withFilter } from 'graphql-subscriptions'
import { useServer } from 'graphql-ws/use/ws'
import { WebSocketServer } from 'ws'
import { listen, pool, redis, store } from './common.mjs'

const COUNTED = 50 // participants up to which unread counts are published
const pubsub = new RedisPubSub({ publisher: redis(), subscriber: redis() })

const COUNT = {
  name: 'count',
  text: `update peer.participants set unread = unread + 1 where chat_id = $1 and user_id <> $2
         and (select participants from peer.chats where id = $1) <= ${COUNTED} returning user_id, unread`
}

const schema = makeExecutableSchema({
  typeDefs: `
    type Message { id: ID! content: String! senderId: ID! chatId: ID! createdAt: String! isEdited: Boolean! editedAt: String }
    type Query { me: ID }
    type Mutation { createMessage(chatId: ID!, content: String!): Message! }
    type Subscription { messageAdded(chatId: ID!): Message! }`,
  resolvers: {
    Mutation: {
      createMessage: async (_, { chatId, content }, { userId }) => {
        const message = await store(chatId, userId, content)
        const { rows } = await pool.query({ ...COUNT, values: [chatId, userId] })
        const notice = { chatId, message, senderId: userId }
        pubsub.publish('peer.messageAdded', { messageAdded: message })
        pubsub.publish('peer.chatMessageNotification', { chatMessageNotification: notice })
        pubsub.publish('peer.messageUpdateForChatList', { messageUpdateForChatList: notice })
        for (const row of rows) {
          pubsub.publish('peer.unreadCountUpdated', { unreadCountUpdated: { chatId, userId: row.user_id, unreadCount: row.unread } })
        }
        return message
      }
    },
    Subscription: {
      messageAdded: {
        subscribe: withFilter(
          () => pubsub.asyncIterableIterator('peer.messageAdded'),
          (payload, { chatId }) => payload.messageAdded.chatId === chatId
        )
      }
    }
  }
})

// Parsed and validated once, as persisted operations are; and who asks is remembered, not looked up each time.
const documents = new Map()
const valid = new Set()
const users = new Map()

const handler = createHandler({
  schema,
  parse: source => {
    const text = typeof source === 'string' ? source : source.body
    if (!documents.has(text)) documents.set(text, parse(text))
    return documents.get(text)
  },
  validate: (schema, document, ...rest) => {
    if (valid.has(document)) return []
    const errors = validate(schema, document, ...rest)
    if (!errors.length) valid.add(document)
    return errors
  },
  context: async request => {
    const token = request.headers.authorization
    if (!users.has(token)) {
      const { rows } = await pool.query('select user_id from peer.sessions where token = $1', [token])
      users.set(token, rows[0].user_id)
    }
    return { userId: users.get(token) }
  }
})

const server = createServer(handler)
useServer({ schema }, new WebSocketServer({ server, path: '/graphql', perMessageDeflate: false }))
listen(server)
