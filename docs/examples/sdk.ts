// A program that asks a model through gw, with the official SDK: sdk.ts ADDRESS MODEL, with a token in GW_TOKEN.
import OpenAI from 'openai'
import process from 'node:process'

const [address = 'http://127.0.0.1:8080', model = 'demo-small'] = process.argv.slice(2)
const client = new OpenAI({ baseURL: `${address}/v1`, apiKey: process.env.GW_TOKEN ?? '' })
const answer = await client.chat.completions.create({ model, messages: [{ role: 'user', content: 'Say hello.' }] })
console.log(answer.choices[0]?.message.content)
