// The lint rules for the schema. Run ESLint from the root of the checkout, because it
// ignores files outside its working directory.
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
      // Everything that a client can see has a description.
      [rule('require-description')]: ['error', {
        types: true,
        DirectiveDefinition: true,
        FieldDefinition: true,
        InputValueDefinition: true,
        EnumValueDefinition: true,
      }],
      // Parts of a list and mutation payloads have no identity of their own.
      [rule('strict-id-in-types')]: ['error', {
        exceptions: { types: ['PageInfo'], suffixes: ['Connection', 'Edge', 'Payload'] },
      }],
      // A mutation takes one input and returns a payload, so that both can grow.
      [rule('input-name')]: ['error', { checkInputType: true, caseSensitiveInputType: false }],
      [rule('no-scalar-result-type-on-mutation')]: 'error',
      // A root field that fails must not fail the others.
      [rule('require-nullable-result-in-root')]: 'error',
    },
  },
];
