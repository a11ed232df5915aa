package api_test

import (
	"bytes"
	"fmt"
	"strings"

	"chirp/graph/graphtest"
)

// hostile is a request that only an attacker would send.
type hostile struct {
	name string
	code string // of the refusal
	body string
}

// corpus returns hostile requests, to send by POST against the default limits.
func corpus() []hostile {
	var all []hostile
	add := func(code string, bodies map[string]string) {
		for name, body := range bodies {
			all = append(all, hostile{name, code, body})
		}
	}
	documents := func(code string, documents map[string]string) {
		for name, document := range documents {
			all = append(all, hostile{name, code, graphtest.Envelope(document, `{}`)})
		}
	}
	documents("COMPLEXITY_LIMIT_EXCEEDED", tooMuchAtOnce())
	documents("COMPLEXITY_LIMIT_EXCEEDED", tooMuchByFragments())
	documents("GRAPHQL_VALIDATION_FAILED", invalidDocuments())
	documents("GRAPHQL_VALIDATION_FAILED", conflicts())
	documents("GRAPHQL_PARSE_FAILED", unparsable())
	documents("BAD_USER_INPUT", pages())
	add("BAD_USER_INPUT", envelopes())
	add("BAD_USER_INPUT", variables())
	return all
}

// repeat repeats a text, with %d replaced by the number of the repetition.
func repeat(n int, text string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.ReplaceAll(text, "%d", fmt.Sprint(i)))
	}
	return b.String()
}

func nest(n int, open, inside, end string) string {
	return strings.Repeat(open, n) + inside + strings.Repeat(end, n)
}

func tooMuchAtOnce() map[string]string {
	const page = `followers(first: 100) { edges { node { `
	return map[string]string{
		"one field again and again":            `{ ` + repeat(4900, `__typename `) + `}`,
		"one object again and again":           `{ ` + repeat(1200, `viewer{id}`) + `}`,
		"one object again and again, nested":   `{ ` + repeat(15, `viewer{`+repeat(80, `followers{edges{cursor}}`)+`}`) + `}`,
		"unknown fields":                       `{ ` + repeat(4900, `f%d `) + `}`,
		"words":                                `{ ` + repeat(100_000, `a `) + `}`,
		"comments":                             `{ viewer { id } }` + repeat(60_000, "\n#"),
		"directives on a field":                `{ viewer` + repeat(1600, ` @include(if: true)`) + ` { id } }`,
		"directives on fields":                 `{ viewer {` + repeat(51, ` id @skip(if: false)`) + ` } }`,
		"unknown directives":                   `{ viewer` + repeat(2400, ` @a%d`) + ` { id } }`,
		"directives on an operation":           `query` + repeat(2400, ` @a`) + ` { viewer { id } }`,
		"directives on a variable":             `query($a: Int` + repeat(2400, ` @a`) + `) { viewer { id } }`,
		"directives on a fragment nobody uses": `{ viewer { id } } fragment f on User` + repeat(2400, ` @a`) + ` { id }`,
		"aliases":                              `{ ` + repeat(51, `a%d: __typename `) + `}`,
		"many aliases":                         `{ ` + repeat(900, `a%d: viewer { id } `) + `}`,
		"depth":                                `{ viewer { ` + nest(5, `followers(first: 1) { edges { node { `, `id`, ` } } }`) + ` } }`,
		"great depth":                          `{ viewer { ` + nest(320, `followers { edges { node { `, `id`, ` } } }`) + ` } }`,
		"log-ins":                              `mutation { ` + manyLogIns(60) + `}`,
		"mutations":                            `mutation { ` + repeat(11, `a%d: followUser(input: {userId: "x"}) { position } `) + `}`,
		"mutations of one name":                `mutation { ` + repeat(11, `followUser(input: {userId: "x"}) { position } `) + `}`,
		"mutations in a fragment":              `mutation { ...f ...f } fragment f on Mutation { ` + repeat(6, `a%d: followUser(input: {userId: "x"}) { position } `) + `}`,
		"long lists in long lists":             `{ viewer { ` + page + page + `id } } } } } } } }`,
		"aliased long lists":                   `{ viewer { ` + repeat(50, `a%d: followers(first: 100) { edges { cursor } } `) + `} }`,
		"the schema, again and again":          `{ ` + repeat(40, `a%d: __schema { types { fields { args { name } type { fields { name args { name type { name } } } } } } } `) + `}`,
		"list elements":                        `{ user(username: [` + repeat(250_000/3, `1,`) + `]) { id } }`,
	}
}

func tooMuchByFragments() map[string]string {
	everyone := func(n int) string { // each fragment spreads all that follow
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, " fragment f%d on User { id", i)
			for j := i + 1; j < n; j++ {
				fmt.Fprintf(&b, " ...f%d", j)
			}
			b.WriteString(" }")
		}
		return `{ viewer { ...f0 } }` + b.String()
	}
	return map[string]string{
		"fragments that double":                              doubling(25, "Query", "{ ...f0 }", "viewer { id }"),
		"fragments that double in a long row":                doubling(400, "Query", "{ ...f0 }", "viewer { id }"),
		"fragments that double in introspection":             doubling(25, "__Type", `{ __type(name: "User") { ...f0 } }`, "name"),
		"fragments that double under a subscription":         doubling(25, "Subscription", `subscription { ...f0 }`, `profileUpdated(userId: "x") { id }`),
		"fragments that spread all that follow":              everyone(60),
		"fragments in a row":                                 `{ viewer { ...f0 } }` + repeat(400, ` fragment f%d on User { id ...g%d } fragment g%d on User { id }`),
		"fragments in one row":                               row(540, `id`),
		"operations with one fragment":                       repeat(250, `query q%d { ...f } `) + `fragment f on Query { viewer { ` + repeat(900, `id `) + `} }`,
		"aliases in a fragment":                              `{ viewer { ` + repeat(10, `a%d: followers { edges { node { ...f } } } `) + `} } fragment f on User { ` + repeat(40, `b%d: id `) + `}`,
		"directives in a fragment":                           `{ viewer { ` + repeat(10, `...f `) + `} } fragment f on User { ` + repeat(40, `id @skip(if: false) `) + `}`,
		"depth by fragments":                                 `{ viewer { ...f0 } }` + repeat(5, ` fragment f%d on User { followers(first: 1) { edges { node { ...g%d } } } }`) + chain(5),
		"values":                                             wideFragment(),
		"inline fragments":                                   `{ viewer { ` + repeat(1000, `... on User { id } `) + `id } }`,
		"inline fragments with lists":                        `{ viewer { ` + repeat(400, `... on User { followers { edges { cursor } } } `) + `} }`,
		"fragments side by side":                             `{ viewer { ` + repeat(350, `...f%d `) + `} }` + repeat(350, ` fragment f%d on User { followers { edges { cursor } } }`),
		"fragments side by side with fragments side by side": `{ viewer { ` + repeat(150, `...f%d `) + `} }` + repeat(150, ` fragment f%d on User { followers { ...g%d } } fragment g%d on UserConnection { edges { cursor node { id } } }`),
	}
}

// row returns fragments each of which spreads the next one.
func row(n int, last string) string {
	var b strings.Builder
	b.WriteString(`{ viewer { ...f0 } }`)
	for i := range n {
		fmt.Fprintf(&b, " fragment f%d on User { ...f%d }", i, i+1)
	}
	fmt.Fprintf(&b, " fragment f%d on User { %s }", n, last)
	return b.String()
}

// chain returns the g fragments that lead from one f fragment to the next.
func chain(n int) string {
	var b strings.Builder
	for i := range n {
		next := fmt.Sprintf("...f%d", i+1)
		if i == n-1 {
			next = "id"
		}
		fmt.Fprintf(&b, " fragment g%d on User { %s }", i, next)
	}
	return b.String()
}

// wideFragment is a fragment whose one field has very many values.
func wideFragment() string {
	return `query all { ...g } fragment g on Query { feed(first: [` + repeat(2400, `1 `) + `]) { edges { cursor } } }` + repeat(300, ` query h%d { ...g }`)
}

func invalidDocuments() map[string]string {
	ring := func(n int) string {
		var b strings.Builder
		b.WriteString(`{ viewer { ...f0 } }`)
		for i := range n {
			fmt.Fprintf(&b, " fragment f%d on User { ...f%d }", i, (i+1)%n)
		}
		return b.String()
	}
	long := strings.Repeat("x", 100)
	return map[string]string{
		"unknown fields that are told":         `{ ` + repeat(900, `f%d `) + `}`,
		"unknown fields with long names":       `{ ` + repeat(900, long+`%d `) + `}`,
		"unknown fields that are almost known": `{ viewer { ` + repeat(900, `followerCoun%d `) + `} }`,
		"a name of 200 kB":                     `{ ` + strings.Repeat("x", 200_000) + ` }`,
		"an alias of 200 kB":                   `{ ` + strings.Repeat("x", 200_000) + `: __typename }`,
		"a long alias in a long list":          `{ viewer { followers(first: 100) { edges { ` + strings.Repeat("x", 10_000) + `: cursor } } } }`,
		"an enum value of 200 kB":              `{ user(username: ` + strings.Repeat("x", 200_000) + `) { id } }`,
		"a variable's name of 200 kB":          `query($` + strings.Repeat("x", 200_000) + `: Int) { viewer { id } }`,
		"arguments":                            `{ viewer(` + repeat(1600, `a%d: 1 `) + `) { id } }`,
		"one argument again and again":         `{ user(` + repeat(1600, `id: "x" `) + `) { id } }`,
		"an input with many fields":            `mutation { logIn(input: {` + repeat(1600, `a%d: 1 `) + `}) { token } }`,
		"an input with one field again":        `mutation { logIn(input: {` + repeat(1600, `username: "x" `) + `}) { token } }`,
		"an input in an input":                 `mutation { logIn(input: ` + nest(900, `{input: `, `1`, `}`) + `) { token } }`,
		"a list in a list":                     `{ user(username: ` + nest(990, `[`, `1`, `]`) + `) { id } }`,
		"a number of 200,000 digits":           `{ chirp(id: "x") { author { chirps(first: ` + strings.Repeat("9", 200_000) + `) { edges { cursor } } } } }`,
		"a fragment in itself":                 `{ viewer { ...f } } fragment f on User { id ...f }`,
		"a fragment in itself, further down":   `{ viewer { ...f } } fragment f on User { followers { edges { node { ...f } } } }`,
		"fragments in a ring":                  ring(500),
		"a ring that nobody uses":              `{ viewer { id } } fragment a on User { ...b } fragment b on User { ...a }`,
		"fragments that nobody uses":           `{ viewer { id } }` + repeat(600, ` fragment f%d on User { id }`),
		"one fragment again and again":         `{ viewer { ...f } }` + repeat(600, ` fragment f on User { id }`),
		"unknown fragments":                    `{ viewer { ` + repeat(2400, `...f%d `) + `} }`,
		"unknown types":                        `{ viewer { ` + repeat(800, `... on T%d { id } `) + `} }`,
		"operations without a name":            repeat(1600, `{a} `),
		"operations of one name":               repeat(900, `query a { __typename } `),
		"variables nobody uses":                `query(` + repeat(1200, `$a%d: Int `) + `) { viewer { id } }`,
		"one variable again and again":         `query(` + repeat(1200, `$a: Int `) + `) { viewer { id } }`,
		"variables of unknown types":           `query(` + repeat(1200, `$a%d: Inty `) + `) { viewer { id } }`,
		"unknown variables":                    `{ ` + repeat(450, `user(id: $a%d) { id } `) + `}`,
		"many variables used often":            `query(` + repeat(500, `$a%d: ID `) + `) { ` + repeat(240, `node(id: $a499) { id } `) + `}`,
		"a default of lists in lists":          `query($a: Int = ` + nest(990, `[`, `1`, `]`) + `) { feed(first: $a) { edges { cursor } } }`,
		"a subscription with many fields":      `subscription { ` + repeat(450, `feedChirpAdded { cursor } `) + `profileUpdated(userId: "x") { id } }`,
		"a selection on what has none":         `{ viewer { ` + repeat(450, `id{id} `) + `} }`,
		"no selection where one must be":       `{ ` + repeat(900, `viewer `) + `}`,
		"wrong values":                         `{ ` + repeat(300, `feed(first: "x") { edges { cursor } } `) + `}`,
		"wrong values of 100 kB":               `{ a: feed(first: "` + strings.Repeat("x", 100_000) + `") { edges { cursor } } b: feed(first: "` + strings.Repeat("y", 100_000) + `") { edges { cursor } } }`,
		"no operation":                         `fragment f on User { id }`,
		"schema in schema":                     `{ __schema { types { ` + nest(100, `fields { type { `, `name`, `} } `) + `} } }`,
	}
}

// conflicts are documents whose fields cannot be merged. A check of every pair takes
// time quadratic in their number, or worse.
func conflicts() map[string]string {
	return map[string]string{
		"two fields of one name":              `{ viewer { ` + repeat(15, `a: id a: username `) + `} }`,
		"fields of one name":                  `{ viewer { ` + repeat(900, `id `) + `id: username } }`,
		"different arguments":                 `{ ` + repeat(400, `viewer{id}`) + `user(id: "a") { id } user(id: "b") { id } }`,
		"different objects":                   `mutation { followUser(input: {userId: "a", commandId: "b"}) { position } followUser(input: {userId: "a", commandId: "c"}) { position } }`,
		"a conflict deep down":                `{ viewer { ` + repeat(120, `followers { edges { node { id } } } `) + `followers { edges { node { id: username } } } } }`,
		"inline fragments in conflict":        `{ node(id: "x") { ` + repeat(200, `... on User { id username } ... on Chirp { id } `) + `... on Chirp { id: content } } }`,
		"inline fragments of different shape": `{ node(id: "x") { ` + repeat(200, `... on User { id } `) + `... on User { a: followerCount } ... on Chirp { a: content } } }`,
		"fragments in conflict":               `{ viewer { ` + repeat(200, `...f%d `) + `} }` + repeat(199, ` fragment f%d on User { id }`) + ` fragment f199 on User { id: username }`,
	}
}

func unparsable() map[string]string {
	return map[string]string{
		"nothing":                        ``,
		"nothing but a comment":          `# {`,
		"depth beyond what is parsed":    nest(1500, `{a`, ``, `}`),
		"an open string of 200 kB":       `{ user(username: "` + strings.Repeat("x", 200_000),
		"an unexpected string of 200 kB": `{ "` + strings.Repeat("x", 200_000) + `" }`,
		"an open block string":           `{ user(username: """` + strings.Repeat("x\n", 60_000),
		"escapes that are none":          `{ user(username: "` + strings.Repeat(`\q`, 50_000) + `") { id } }`,
		"control characters":             "{ a\x00 }",
		"braces":                         strings.Repeat("{", 250_000),
	}
}

func pages() map[string]string {
	page := func(first string) string {
		return `{ viewer { followers(first: ` + first + `) { edges { cursor } } } }`
	}
	return map[string]string{
		"a page of 101":              page("101"),
		"a page of 0":                page("0"),
		"a page of -1":               page("-1"),
		"a page of a billion":        page("1000000000"),
		"a page by a default":        `query($n: Int = 101) { viewer { followers(first: $n) { edges { cursor } } } }`,
		"a page by a default in use": `query($n: Int = 5000) { viewer { ...f } } fragment f on User { chirps(first: $n) { edges { cursor } } }`,
	}
}

func envelopes() map[string]string {
	const query = `"query":"{ viewer { id } }"`
	return map[string]string{
		"lists in lists":                           `{` + query + `,"variables":{"a":` + nest(120_000, `[`, ``, `]`) + `}}`,
		"objects in objects":                       `{` + query + `,"extensions":` + nest(40_000, `{"a":`, `1`, `}`) + `}`,
		"lists that are not closed":                `{` + query + `,"variables":{"a":` + strings.Repeat("[", 250_000),
		"lists in a member nobody reads":           `{` + query + `,"a":` + nest(100, `[`, `[]`, `]`) + `}`,
		"broken UTF-8":                             "{\"query\":\"{ user(username: \\\"\xff\xfe\\\") { id } }\"}",
		"broken UTF-8 at the end":                  `{` + query + `}` + "\xc3",
		"half a character":                         `{"query":"{ user(username: \"\ud800\") { id } }"}`,
		"more than 256 kB":                         `{` + query + `,"a":"` + strings.Repeat("x", 256<<10) + `"}`,
		"ten megabytes":                            `{` + query + `,"a":"` + strings.Repeat("x", 10<<20) + `"}`,
		"a batch":                                  `[` + repeat(5_000, `{`+query+`},`) + `{` + query + `}]`,
		"a number of 200,000 digits, as variables": `{` + query + `,"variables":` + strings.Repeat("9", 200_000) + `}`,
		"a hash that is none":                      `{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"` + strings.Repeat("x", 200_000) + `"}}}`,
		"a hash that is not the query's":           `{` + query + `,"extensions":{"persistedQuery":{"version":1,"sha256Hash":"` + strings.Repeat("0", 64) + `"}}}`,
		"a documentId that is none":                `{"documentId":"` + strings.Repeat("x", 200_000) + `"}`,
		"zero bytes":                               string(bytes.Repeat([]byte{0}, 200_000)),
	}
}

func variables() map[string]string {
	const query = `query($id: ID!, $n: Int) { node(id: $id) { id } viewer { followers(first: $n) { edges { cursor } } } }`
	return map[string]string{
		"a list for a text":          graphtest.Envelope(query, `{"id":[`+repeat(60_000, `1,`)+`1]}`),
		"an object for a text":       graphtest.Envelope(query, `{"id":{`+repeat(15_000, `"a%d":1,`)+`"a":1}}`),
		"a number that is too large": graphtest.Envelope(query, `{"id":"x","n":`+strings.Repeat("9", 200_000)+`}`),
		"an input of unknown fields": graphtest.Envelope(`mutation($i: LogInInput!) { logIn(input: $i) { token } }`, `{"i":{"`+strings.Repeat("x", 200_000)+`":1}}`),
		"none where one must be":     graphtest.Envelope(query, `{`+repeat(15_000, `"a%d":1,`)+`"a":1}`),
	}
}

func manyLogIns(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `l%d: logIn(input: {username: "a", password: "a password"}) { token } `, i)
	}
	return b.String()
}

// doubling returns fragments each of which spreads the next one twice.
func doubling(n int, typ, operation, last string) string {
	var b strings.Builder
	b.WriteString(operation)
	for i := range n {
		fmt.Fprintf(&b, " fragment f%d on %s { ...f%d ...f%d }", i, typ, i+1, i+1)
	}
	fmt.Fprintf(&b, " fragment f%d on %s { %s }", n, typ, last)
	return b.String()
}
