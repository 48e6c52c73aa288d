// Portkey answers 500 to every stream on Node, because it edits the headers of an answer that fetch made read-only
// (Portkey-AI/gateway#1389). Handing it the same answer with headers that can be edited costs nothing measurable.
const { fetch } = globalThis
globalThis.fetch = async (...args) => {
  const reply = await fetch(...args)
  return new Response(reply.body, { status: reply.status, headers: reply.headers })
}
