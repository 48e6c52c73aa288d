/**
 * The script of the documentation page: reads the OpenAPI document it is pointed at and lists every route. It builds
 * the page from text nodes alone, so that nothing in the document can become markup.
 */
export const referencePage = `(() => {
  const tag = document.getElementById('api-reference')
  const configuration = JSON.parse(tag.dataset.configuration || '{}')
  const source = (configuration.spec && configuration.spec.url) || tag.dataset.url || 'docs/json'
  const el = (name, props, ...children) => {
    const node = Object.assign(document.createElement(name), props)
    for (const child of children) node.append(child)
    return node
  }
  const style = el('style', { textContent: \`
    :root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent) }
    body { margin: 0 auto; max-width: 62rem; padding: 1.5rem; font: 15px/1.5 system-ui, sans-serif }
    h1 { margin: 0 0 .25rem } h2 { margin: 2rem 0 .5rem; text-transform: capitalize }
    input { width: 100%; box-sizing: border-box; padding: .5rem .75rem; font: inherit; margin: 1rem 0 }
    details { border: 1px solid var(--line); border-radius: 6px; margin: .4rem 0; padding: .5rem .75rem }
    summary { cursor: pointer; display: flex; gap: .75rem; flex-wrap: wrap; align-items: baseline }
    summary b { font: 600 12px ui-monospace, monospace; min-width: 4em }
    code, pre { font: 13px/1.45 ui-monospace, monospace } pre { overflow: auto; padding: .75rem; border: 1px solid var(--line); border-radius: 6px }
    table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .25rem .5rem; border-bottom: 1px solid var(--line); vertical-align: top }
    .muted { opacity: .7 }\` })
  document.head.append(style)
  const schemaOf = (content) => {
    const first = content && Object.entries(content)[0]
    return first ? el('div', {}, el('p', { className: 'muted', textContent: first[0] }), el('pre', { textContent: JSON.stringify(first[1].schema, null, 2) })) : ''
  }
  const parameters = (list) => {
    if (!list || list.length === 0) return ''
    const rows = list.map((one) => el('tr', {},
      el('td', {}, el('code', { textContent: one.name })),
      el('td', { textContent: one.in + (one.required ? ', required' : '') }),
      el('td', { textContent: (one.schema && (one.schema.type || '')) || '' }),
      el('td', { textContent: one.description || '' })))
    return el('table', {}, el('thead', {}, el('tr', {}, ...['name', 'where', 'type', ''].map((text) => el('th', { textContent: text })))), el('tbody', {}, ...rows))
  }
  const route = (method, path, one) => {
    const answer = one.responses && one.responses['200']
    const box = el('details', {},
      el('summary', {}, el('b', { textContent: method.toUpperCase() }), el('code', { textContent: path }), el('span', { className: 'muted', textContent: one.summary || '' })),
      el('p', { textContent: one.description || '' }), parameters(one.parameters))
    if (one.requestBody) box.append(el('h4', { textContent: 'Body' }), schemaOf(one.requestBody.content))
    if (answer && answer.content) box.append(el('h4', { textContent: 'Answer' }), schemaOf(answer.content))
    box.dataset.text = (method + ' ' + path + ' ' + (one.summary || '')).toLowerCase()
    return box
  }
  fetch(new URL(source, location.origin + '/')).then((answer) => answer.json()).then((spec) => {
    const main = el('main', {})
    main.append(el('h1', { textContent: spec.info.title + ' ' + spec.info.version }), el('p', { className: 'muted', textContent: spec.info.description || '' }))
    const search = el('input', { type: 'search', placeholder: 'Find a route', ariaLabel: 'Find a route' })
    main.append(search)
    const groups = new Map()
    for (const [path, methods] of Object.entries(spec.paths)) {
      for (const [method, one] of Object.entries(methods)) {
        const group = (one.tags && one.tags[0]) || 'other'
        if (!groups.has(group)) groups.set(group, [])
        groups.get(group).push(route(method, path, one))
      }
    }
    for (const [group, routes] of [...groups].sort()) main.append(el('section', {}, el('h2', { textContent: group }), ...routes))
    search.addEventListener('input', () => {
      const wanted = search.value.toLowerCase()
      for (const box of main.querySelectorAll('details')) box.hidden = !box.dataset.text.includes(wanted)
      for (const section of main.querySelectorAll('section')) section.hidden = !section.querySelector('details:not([hidden])')
    })
    document.body.append(main)
  })
})()
`
