import { GwError } from '../../base/mod.ts'

/**
 * A model's name as part of a path. Slashes in it stay slashes, because some names have them; what would lead the path
 * elsewhere at its host is refused.
 *
 * @throws GwError `request.invalid` for a name with empty segments or such as `..`
 */
export function modelInPath(model: string): string {
  return model.split('/').map((segment) => {
    // Escaping would not help: a dot is one to every reader of URLs, escaped or not.
    if (/^\.*$/.test(segment)) {
      throw new GwError('request.invalid', `no model can be called ${JSON.stringify(model.slice(0, 200))}`, {
        param: 'model',
      })
    }
    return encodeURIComponent(segment).replaceAll('%40', '@').replaceAll('%3A', ':')
  }).join('/')
}
