// Administering gw from a program, with every type: admin.ts ADDRESS [LAST], with an owner's token in GW_TOKEN.
import process from 'node:process'
import { createAdminClient } from '../../client/mod.ts'

const [url = 'http://127.0.0.1:8080', lastEventId] = process.argv.slice(2)
const gw = createAdminClient({ url, token: process.env.GW_TOKEN ?? '' })
const { data: accounts } = await gw.accounts.list.query()
const { id, label } = await gw.tokens.issue.mutate({ label: 'laptop', ttl_hours: 24, scopes: ['read'] })
console.log(JSON.stringify({ accounts: accounts.map((account) => account.id), id, label }))
const events = gw.usage.watch.subscribe({ lastEventId: lastEventId ?? null }, {
  onStarted: () => console.log(JSON.stringify({ started: true })),
  onData: ({ id: event, data }) => {
    console.log(JSON.stringify({ event, model: data.model, outcome: data.outcome }))
    events.unsubscribe()
  },
})
