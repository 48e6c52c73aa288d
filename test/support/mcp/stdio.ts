// @ts-types="@modelcontextprotocol/sdk/server/stdio"
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import { fixtureServer } from './fixture.ts'

/** The fixture as a program: what a stdio server is to gw. */
await fixtureServer().connect(new StdioServerTransport())
