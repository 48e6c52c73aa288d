/** What a person types for a field: what its JSON Schema comes to on a command line or in a settings file. */
export type FieldType = 'string' | 'number' | 'boolean' | 'list' | 'table'

/** The part of a JSON Schema that says which type a value has. */
export interface TypedSchema {
  readonly type?: string
  readonly anyOf?: readonly TypedSchema[]
  readonly oneOf?: readonly TypedSchema[]
}

/** The type that a JSON Schema names, that of `null` left aside; `undefined` when it names none. */
export const schemaType = ({ type, anyOf, oneOf }: TypedSchema): string | undefined =>
  type ?? (anyOf ?? oneOf)?.find((one) => one.type !== 'null')?.type

/** How a value of a JSON Schema is written by hand; what has no type is a text. */
export function fieldType(schema: TypedSchema): FieldType {
  switch (schemaType(schema)) {
    case 'integer':
    case 'number':
      return 'number'
    case 'boolean':
      return 'boolean'
    case 'array':
      return 'list'
    case 'object':
      return 'table'
    default:
      return 'string'
  }
}
