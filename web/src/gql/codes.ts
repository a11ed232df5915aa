/**
 * What `extensions.code` of an error can say. The list is closed; the message beside
 * it is for people, and may change.
 */
export type ErrorCode =
  /** The caller follows that user already. */
  | 'ALREADY_FOLLOWING'
  /**
   * The input breaks a rule, which the message names. Sending it again cannot help.
   * Variables that do not fit their types are such input, and nothing is executed then;
   * the message says which, and where within it: `$input.content`.
   */
  | 'BAD_USER_INPUT'
  /**
   * The document or operation asks for too much at once. `extensions.limit` says of
   * what (`tokens`, `depth`, `aliases`, `mutations`, `directives`, `fields`,
   * `fragments`, `cost` or `introspection`), and `extensions.most` how much is allowed.
   */
  | 'COMPLEXITY_LIMIT_EXCEEDED'
  /**
   * The command id was used for another command, or the token's identity has an
   * account already.
   */
  | 'CONFLICT'
  /**
   * The cursor is not one that this server gave out, or a backup was restored since, and
   * has undone what it refers to. Start again without it.
   */
  | 'CURSOR_INVALID'
  /**
   * The `documentId` is not that of a document which this server's owner trusts, or the
   * server takes no others.
   */
  | 'DOCUMENT_NOT_TRUSTED'
  /** The caller may not do this, or it is switched off on this server. */
  | 'FORBIDDEN'
  /**
   * The document is not GraphQL. In `locations`, lines end with LF, CRLF or CR, and
   * a column is a Unicode code point, here and for the codes below.
   */
  | 'GRAPHQL_PARSE_FAILED'
  /** The document does not fit the schema. */
  | 'GRAPHQL_VALIDATION_FAILED'
  /** A fault of the server's. The message has an id under which its log says more. */
  | 'INTERNAL'
  /** The caller does not follow that user. */
  | 'NOT_FOLLOWING'
  /** What the input names does not exist. */
  | 'NOT_FOUND'
  /** The server has not caught up with the position in `Chirp-Read-After`. Try again. */
  | 'NOT_YET_VISIBLE'
  /** The server does not know the document with that hash. Send it along once. */
  | 'PERSISTED_QUERY_NOT_FOUND'
  /**
   * Too many calls, too much asked for in a short time, or a subscriber too slow. Try
   * again later: in `extensions.retryAfter` seconds, if it is there. A request with
   * `"extensions": {"cost": true}`, or with the header `Chirp-Cost: 1`, is told in
   * `extensions.cost` what its operation costs and what is left to its caller.
   */
  | 'RATE_LIMITED'
  /** This needs a token and there is none, or the token or the password is not good. */
  | 'UNAUTHENTICATED'
  /**
   * The server cannot answer now, and it is not the client's fault. Try again later; a
   * mutation under the same `commandId`, for it may have been done.
   */
  | 'UNAVAILABLE'
  /** Somebody has that username already, maybe in another case. */
  | 'USERNAME_TAKEN';
