import type { CodegenConfig } from '@graphql-codegen/cli';

// Generates gql/: a type for each operation that typed.ts declares. Copy the scalars. A
// DateTime is a string such as 2026-11-27T09:30:00.123Z, for new Date(…). A Position is a
// string of digits, because it has 64 bits, more than a number can represent exactly. Send
// it back unchanged, and compare positions with BigInt(…).
const config: CodegenConfig = {
  schema: process.env.CHIRP_URL ?? 'http://localhost:8080/graphql',
  documents: ['typed.ts'],
  importExtension: '.js', // required by Node
  generates: {
    './gql/': {
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: {
        documentMode: 'string',
        useTypeImports: true,
        enumsAsTypes: true,
        strictScalars: true, // a scalar without a type here is an error instead of any
        scalars: { DateTime: 'string', Position: 'string' },
      },
    },
  },
};

export default config;
