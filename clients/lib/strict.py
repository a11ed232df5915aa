"""Builds the schema with graphql-core, once from an introspection result and once
from schema.graphql, and compares the two. Reads the introspection result from
standard input; the argument is the path of schema.graphql."""

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
    sys.exit("the served schema differs from schema.graphql")
