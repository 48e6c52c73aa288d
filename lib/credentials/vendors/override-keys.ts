import type { LoginOverrides } from './config.ts'

const keys: Readonly<Record<keyof LoginOverrides, true>> = {
  name: true,
  provider: true,
  client_id: true,
  client_secret: true,
  client_secret_env: true,
  client_auth: true,
  issuer: true,
  authorize_url: true,
  authorize_params: true,
  registration_url: true,
  token_url: true,
  refresh_url: true,
  device_url: true,
  device_poll_url: true,
  device_verify_url: true,
  revoke_url: true,
  profile_url: true,
  api_key_url: true,
  exchange_url: true,
  redirect_host: true,
  redirect_ports: true,
  redirect_path: true,
  hosted_redirect: true,
  scopes: true,
  headers: true,
  audience: true,
}

/** The fields that may differ from a built-in vendor. */
export const overrideKeys: readonly string[] = Object.keys(keys)

/** Whether a variable sets a field of a vendor: `GW_LOGIN_<VENDOR>_<FIELD>`. */
export function isLoginVariable(variable: string): boolean {
  return variable.startsWith('GW_LOGIN_') && overrideKeys.some((key) => variable.endsWith(`_${key.toUpperCase()}`))
}
