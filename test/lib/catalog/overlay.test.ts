import { expect, test } from 'bun:test'
import { catalogConfig, type ProviderOverlay } from '../../../lib/catalog/config.ts'
import { createCatalog } from '../../../lib/catalog/mod.ts'

const deploymentsOf = (id: string, overlay: ProviderOverlay) =>
  createCatalog({ settings: catalogConfig.parse({}), overlays: { [id]: overlay } }).provider(id)!.deployments

test('a base URL of its owner moves everything that stood side by side at the vendor', () => {
  const deployments = deploymentsOf('openai', { base_url: 'http://10.0.0.1:9/v1/' })
  expect(deployments.map(({ protocol }) => protocol).sort()).toEqual(['openai-chat', 'openai-responses'])
  expect(new Set(deployments.map(({ baseUrl }) => baseUrl))).toEqual(new Set(['http://10.0.0.1:9/v1']))
  expect(deployments.flatMap(({ capabilities }) => capabilities)).toContain('embeddings')
})

test('a base URL with a protocol is that protocol alone', () => {
  const deployments = deploymentsOf('openai', { base_url: 'http://10.0.0.1:9/v1', protocol: 'openai-chat' })
  expect(deployments.map(({ protocol }) => protocol)).toEqual(['openai-chat'])
})
