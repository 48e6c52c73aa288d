import { Elysia } from 'elysia'
import { z } from 'zod'
import { type Approval, operator, type Principal, requireScope } from '../../lib/access/mod.ts'
import { GwError, once } from '../../lib/base/mod.ts'
import { callOperation } from '../../lib/operations/mod.ts'
import { contextFor, principalOf, readJsonBody } from '../call.ts'
import type { Door } from '../door.ts'
import { approvalCss, approvalHtml, approvalScript } from '../pages/approval.ts'

/** What the page may load: its own two files, and answers from here. Nobody may put it into a frame. */
const headers = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-frame-options': 'DENY',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
}

const answerInput = once(() =>
  z.object({
    verdict: z.enum(['show', 'approve', 'deny']).default('show'),
    code: z.string().min(1).max(200).optional(),
  }).strict()
)

/**
 * The page where a person answers what an agent asks leave for, and the one call that it makes.
 *
 * The address alone opens nothing: agents are given it, and must not answer themselves. The call takes the code of a
 * link or an admin's token, never a cookie, so that no other page can make a browser answer.
 */
export function approvalRoutes(door: Door) {
  const { rooms } = door.gateway
  const file = (type: string, text: string) => () =>
    new Response(text, { headers: { ...headers, 'content-type': `${type}; charset=utf-8` } })

  /** Who the token or the code says it is. */
  async function whoIs(request: Request, id: string, code: string | undefined): Promise<Principal> {
    if (code !== undefined) return await rooms.approvals.holder(id, code)
    const principal = await principalOf(door, request)
    requireScope(principal, 'admin')
    return principal
  }

  async function answer(request: Request, id: string): Promise<Response> {
    sameOrigin(request)
    const parsed = answerInput().safeParse(await readJsonBody(request))
    if (!parsed.success) throw new GwError('request.invalid', 'the body is {"verdict": "show" | "approve" | "deny"}')
    const { verdict, code } = parsed.data
    const principal = await whoIs(request, id, code)
    const context = contextFor(door, { principal, surface: 'http', signal: request.signal })
    const approval = verdict === 'show'
      ? await rooms.approvals.find(id)
      : await callOperation(`approvals.${verdict}`, { id }, context) as Approval
    return Response.json({ ...approval, principal: await nameOf(approval.principal) }, { headers })
  }

  /** A token's label says more than its id. */
  async function nameOf(id: string): Promise<string> {
    const token = await rooms.access.show(id, operator).catch(() => null)
    return token && token.label !== '' ? `${token.label} (${id})` : id
  }

  const problem = { $ref: '#/components/responses/Problem' }
  const hook = (summary: string, description = 'A page for a person') => ({
    parse: 'none' as const,
    detail: { tags: ['approvals'], summary, security: [], responses: { 200: { description }, default: problem } },
  })
  return new Elysia({ name: 'approvals' })
    .get('/approvals/page.css', file('text/css', approvalCss), hook("The page's style"))
    .get('/approvals/page.js', file('text/javascript', approvalScript), hook("The page's script"))
    .get('/approvals/:id', file('text/html', approvalHtml), hook('The page where a person answers an approval'))
    .post(
      '/approvals/:id',
      ({ request, params }) => answer(request, params.id),
      hook('Show or answer an approval, with the code of a link or as an admin', 'The approval as it is now'),
    )
}

/** Origins that may call gw otherwise may not answer for a person: only the page itself, or what is no page at all. */
function sameOrigin(request: Request): void {
  const origin = request.headers.get('origin')
  const host = request.headers.get('host')
  const site = request.headers.get('sec-fetch-site')
  const foreign = origin !== null && origin !== `http://${host}` && origin !== `https://${host}`
  if (foreign || (site !== null && site !== 'same-origin' && site !== 'none')) {
    throw new GwError('access.origin', 'an approval is answered on its own page')
  }
}
