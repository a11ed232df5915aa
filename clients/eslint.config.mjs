// The rules that the parts of the schema keep. It is run from the root of the
// checkout, for ESLint looks at nothing outside of the folder that it is run in.
import graphql from '@graphql-eslint/eslint-plugin';

const rule = (name) => `@graphql-eslint/${name}`;

export default [
  {
    files: ['schema/*.graphqls'],
    plugins: { '@graphql-eslint': graphql },
    languageOptions: {
      parser: graphql.parser,
      parserOptions: { graphQLConfig: { schema: 'schema/*.graphqls' } },
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      ...graphql.configs['flat/schema-recommended'].rules,
      ...graphql.configs['flat/schema-relay'].rules,
      // Everything that a client can see says what it is.
      [rule('require-description')]: ['error', {
        types: true,
        DirectiveDefinition: true,
        FieldDefinition: true,
        InputValueDefinition: true,
        EnumValueDefinition: true,
      }],
      // What a list or a command answers with has no identity of its own.
      [rule('strict-id-in-types')]: ['error', {
        exceptions: { types: ['PageInfo'], suffixes: ['Connection', 'Edge', 'Payload'] },
      }],
      // A command takes one input and answers with a payload, so that both can grow.
      [rule('input-name')]: ['error', { checkInputType: true, caseSensitiveInputType: false }],
      [rule('no-scalar-result-type-on-mutation')]: 'error',
      // A root field that fails must not take the others with it.
      [rule('require-nullable-result-in-root')]: 'error',
    },
  },
];
