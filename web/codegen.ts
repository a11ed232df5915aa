import type { CodegenConfig } from '@graphql-codegen/cli';

// Generates src/gql: a type for each operation and fragment that a component declares.
const config: CodegenConfig = {
  schema: '../schema/*.graphqls',
  documents: ['src/**/*.{ts,tsx}', '!src/gql/**'],
  ignoreNoDocuments: true,
  generates: {
    './src/gql/': {
      preset: 'client',
      presetConfig: { fragmentMasking: { unmaskFunctionName: 'unmask' } },
      config: {
        useTypeImports: true,
        enumsAsTypes: true,
        strictScalars: true,
        scalars: { DateTime: 'string', Position: 'string' },
        defaultScalarType: 'unknown',
      },
    },
    './src/gql/codes.ts': { plugins: ['typescript'], config: { onlyEnums: true, enumsAsTypes: true, ignoreNoDocuments: true } },
  },
};

export default config;
