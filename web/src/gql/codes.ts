/**
 * The values of `extensions.code` in an error. The list is complete: the server sends no
 * other code. The error's message is meant for people and may change.
 */
export type ErrorCode =
  /** The caller already follows the user. */
  | 'ALREADY_FOLLOWING'
  /**
   * The input breaks a rule, which the message names. Sending the same input again fails
   * again. The code also covers variables that do not match their types; in that case
   * nothing is executed, and the message names the variable and the path within it, such
   * as `$input.content`.
   */
  | 'BAD_USER_INPUT'
  /**
   * The document or operation exceeds a limit. `extensions.limit` names the limit (`tokens`,
   * `depth`, `aliases`, `mutations`, `directives`, `fields`, `fragments`, `cost` or
   * `introspection`), and `extensions.most` is the highest value allowed.
   */
  | 'COMPLEXITY_LIMIT_EXCEEDED'
  /**
   * The command ID was used for another command, the token's identity already has an
   * account, or the password was changed at the same time.
   */
  | 'CONFLICT'
  /**
   * The cursor was not issued by this server, or a backup has since been restored that does
   * not contain what the cursor refers to. Start again without a cursor.
   */
  | 'CURSOR_INVALID'
  /**
   * The `documentId` is not that of a trusted document, or the server accepts only trusted
   * documents and the request is for another one.
   */
  | 'DOCUMENT_NOT_TRUSTED'
  /** The caller is not allowed to do this, or it is disabled on this server. */
  | 'FORBIDDEN'
  /**
   * The document is not syntactically valid. In `locations`, here and for the codes below,
   * lines end with LF, CRLF or CR, and columns count Unicode code points.
   */
  | 'GRAPHQL_PARSE_FAILED'
  /** The document is not valid against the schema. */
  | 'GRAPHQL_VALIDATION_FAILED'
  /**
   * An internal server error. The message contains an ID under which the server's log has
   * the details.
   */
  | 'INTERNAL'
  /** The caller does not follow the user. */
  | 'NOT_FOLLOWING'
  /** Something that the input refers to does not exist. */
  | 'NOT_FOUND'
  /** The server has not yet caught up with the position in `Chirp-Read-After`. Try again. */
  | 'NOT_YET_VISIBLE'
  /**
   * The server does not have a document with this hash. Send the request again with the
   * document included.
   */
  | 'PERSISTED_QUERY_NOT_FOUND'
  /**
   * The caller made too many requests, requested too much in a short time, or was too slow
   * to consume a subscription. Try again later: after `extensions.retryAfter` seconds, if
   * present. A request with `"extensions": {"cost": true}` or the header `Chirp-Cost: 1`
   * receives `extensions.cost`, which contains the cost of the operation and the caller's
   * remaining budget.
   */
  | 'RATE_LIMITED'
  /**
   * Authentication is required and the request has no token, or the token or password is
   * not valid.
   */
  | 'UNAUTHENTICATED'
  /**
   * The server is temporarily unable to respond, through no fault of the client. Try again
   * later. Retry a mutation with the same `commandId`, because it may have been executed.
   */
  | 'UNAVAILABLE'
  /** The username belongs to another user, possibly in a different case. */
  | 'USERNAME_TAKEN';
