"""Builds the schema with graphql-core, from what introspection shows and from
the text of schema.graphql, and compares the two. The introspection's data are
read from standard input; the text's path is the argument."""

import json
import sys

from graphql import (
    build_client_schema,
    build_schema,
    lexicographic_sort_schema,
    print_schema,
    validate_schema,
)

served = build_client_schema(json.load(sys.stdin))
with open(sys.argv[1], encoding="utf-8") as file:
    kept = build_schema(file.read())
for schema in (served, kept):
    if problems := validate_schema(schema):
        sys.exit("\n".join(problem.message for problem in problems))
served, kept = (print_schema(lexicographic_sort_schema(schema)) for schema in (served, kept))
if served != kept:
    sys.exit("what is served is not schema.graphql")
