/** The page where a person answers one approval. It holds no data: all of that comes after its reader has shown who they are. */
export const approvalHtml = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>gw: a call waits for your answer</title>
<link rel="stylesheet" href="/approvals/page.css">
<script src="/approvals/page.js" defer></script>
</head>
<body>
<main>
<h1>A call waits for your answer</h1>
<form id="who" hidden>
<p>Give the code of a link that <code>gw approvals link <span class="id"></span></code> makes, or a token with the scope admin.</p>
<p><input id="token" type="password" autocomplete="off" required aria-label="code or token"> <button>Show</button></p>
</form>
<section id="call" hidden>
<dl>
<dt>Who asks</dt><dd id="principal"></dd>
<dt>What for</dt><dd><code id="subject"></code></dd>
<dt>With</dt><dd><pre id="preview"></pre></dd>
<dt>Until</dt><dd id="until"></dd>
</dl>
<p id="answer"><button id="approve">Allow this call once</button> <button id="deny">Refuse</button></p>
</section>
<p id="said" role="status"></p>
</main>
</body>
</html>
`

/** Its style. */
export const approvalCss = `
:root { color-scheme: light dark }
body { margin: 0 auto; max-width: 44rem; padding: 2rem 1.5rem; font: 15px/1.5 system-ui, sans-serif }
dt { font-weight: 600; margin-top: .75rem } dd { margin: 0 }
pre { white-space: pre-wrap; overflow-wrap: anywhere; max-height: 24rem; overflow: auto; padding: .75rem; border: 1px solid color-mix(in srgb, currentColor 18%, transparent); border-radius: 6px }
input { padding: .4rem .6rem; font: inherit; width: 24rem; max-width: 100% }
button { padding: .4rem .9rem; font: inherit }
`

/** Its script. What comes from the gateway is shown as text only, so that no argument of a call can become markup. */
export const approvalScript = `(() => {
  const at = (id) => document.getElementById(id)
  const id = location.pathname.split('/').pop()
  for (const place of document.querySelectorAll('.id')) place.textContent = id
  let key = decodeURIComponent(location.hash.slice(1))
  // The code must not stay in the address bar or the history.
  if (key) history.replaceState(null, '', location.pathname)
  const say = (text) => { at('said').textContent = text }
  async function ask(verdict) {
    const isCode = key.startsWith('la_sk_apr_')
    const reply = await fetch('/approvals/' + id, {
      method: 'POST',
      credentials: 'omit',
      headers: { 'content-type': 'application/json', ...(isCode ? {} : { authorization: 'Bearer ' + key }) },
      body: JSON.stringify({ verdict, ...(isCode ? { code: key } : {}) }),
    })
    const body = await reply.json()
    if (!reply.ok) throw new Error(body.detail + (body.hint ? ': ' + body.hint : ''))
    return body
  }
  function show(approval) {
    at('who').hidden = true
    at('call').hidden = false
    for (const name of ['principal', 'subject', 'preview']) at(name).textContent = approval[name]
    at('until').textContent = new Date(approval.expiresAt).toLocaleString()
    if (approval.state !== 'pending') {
      at('answer').hidden = true
      say('This call is ' + approval.state + '.')
    }
  }
  const run = (verdict) => ask(verdict).then(show, (error) => {
    if (verdict === 'show') { key = ''; at('who').hidden = false }
    say(error.message)
  })
  at('who').addEventListener('submit', (event) => {
    event.preventDefault()
    key = at('token').value.trim()
    at('token').value = ''
    say('')
    run('show')
  })
  for (const verdict of ['approve', 'deny']) at(verdict).addEventListener('click', () => run(verdict))
  if (key) run('show')
  else at('who').hidden = false
})()
`
