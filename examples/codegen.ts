import type { CodegenConfig } from '@graphql-codegen/cli';

// Writes gql/: a type for each operation that typed.ts declares. What to copy are the
// scalars. A DateTime is a text such as 2026-11-27T09:30:00.123Z, for new Date(…). A
// Position is a text of digits: it has 64 bits, more than a number can tell apart, so
// send it back as it came and compare it by BigInt(…).
const config: CodegenConfig = {
  schema: process.env.CHIRP_URL ?? 'http://localhost:8080/graphql',
  documents: ['typed.ts'],
  importExtension: '.js', // as Node wants it
  generates: {
    './gql/': {
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: {
        documentMode: 'string',
        useTypeImports: true,
        enumsAsTypes: true,
        strictScalars: true, // a scalar without a type here is an error, and not any
        scalars: { DateTime: 'string', Position: 'string' },
      },
    },
  },
};

export default config;
