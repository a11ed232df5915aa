/* eslint-disable */
import * as types from './graphql';
import type { TypedDocumentNode as DocumentNode } from '@graphql-typed-document-node/core';

/**
 * Map of all GraphQL operations in the project.
 *
 * This map has several performance disadvantages:
 * 1. It is not tree-shakeable, so it will include all operations in the project.
 * 2. It is not minifiable, so the string of a GraphQL query will be multiple times inside the bundle.
 * 3. It does not support dead code elimination, so it will add unused operations.
 *
 * Therefore it is highly recommended to use the babel or swc plugin for production.
 * Learn more about it here: https://the-guild.dev/graphql/codegen/plugins/presets/preset-client#reducing-bundle-size
 */
type Documents = {
    "\n  mutation ChangePassword($input: ChangePasswordInput!) {\n    changePassword(input: $input) {\n      token\n    }\n  }\n": typeof types.ChangePasswordDocument,
    "\n  fragment ChirpCard_chirp on Chirp {\n    id\n    content\n    postedAt\n    author {\n      id\n      username\n      isCelebrity\n    }\n  }\n": typeof types.ChirpCard_ChirpFragmentDoc,
    "\n  mutation PostChirp($input: PostChirpInput!) {\n    postChirp(input: $input) {\n      position\n      chirp {\n        id\n        ...ChirpCard_chirp\n      }\n    }\n  }\n": typeof types.PostChirpDocument,
    "\n  fragment FollowButton_user on User {\n    id\n    username\n    followerCount\n    viewerFollows\n  }\n": typeof types.FollowButton_UserFragmentDoc,
    "\n  mutation Follow($input: FollowUserInput!) {\n    followUser(input: $input) {\n      position\n      followee {\n        id\n        followerCount\n        viewerFollows\n      }\n    }\n  }\n": typeof types.FollowDocument,
    "\n  mutation Unfollow($input: UnfollowUserInput!) {\n    unfollowUser(input: $input) {\n      position\n      followee {\n        id\n        followerCount\n        viewerFollows\n      }\n    }\n  }\n": typeof types.UnfollowDocument,
    "\n  fragment SessionRow_session on Session {\n    id\n    startedAt\n    lastUsedAt\n    address\n    userAgent\n    isCurrent\n  }\n": typeof types.SessionRow_SessionFragmentDoc,
    "\n  query Sessions {\n    viewer {\n      id\n      sessions {\n        id\n        ...SessionRow_session\n      }\n    }\n  }\n": typeof types.SessionsDocument,
    "\n  mutation EndSession($input: EndSessionInput!) {\n    endSession(input: $input) {\n      user {\n        id\n        sessions {\n          id\n          ...SessionRow_session\n        }\n      }\n    }\n  }\n": typeof types.EndSessionDocument,
    "\n  mutation EndOtherSessions($input: EndAllSessionsInput!) {\n    endAllSessions(input: $input) {\n      user {\n        id\n        sessions {\n          id\n          ...SessionRow_session\n        }\n      }\n    }\n  }\n": typeof types.EndOtherSessionsDocument,
    "\n  fragment UserCard_user on User {\n    id\n    username\n    followerCount\n    chirpCount\n    isCelebrity\n    ...FollowButton_user\n  }\n": typeof types.UserCard_UserFragmentDoc,
    "\n  query Feed($first: Int!, $after: String) {\n    feed(first: $first, after: $after) {\n      edges {\n        cursor\n        node {\n          id\n          ...ChirpCard_chirp\n        }\n      }\n      pageInfo {\n        hasNextPage\n        hasPreviousPage\n        startCursor\n        endCursor\n      }\n    }\n  }\n": typeof types.FeedDocument,
    "\n  subscription FeedAdded($after: String) {\n    feedChirpAdded(after: $after) {\n      cursor\n      node {\n        id\n        ...ChirpCard_chirp\n      }\n    }\n  }\n": typeof types.FeedAddedDocument,
    "\n  query Chirp($id: ID!) {\n    chirp(id: $id) {\n      id\n      content\n      postedAt\n      author {\n        id\n        username\n        isCelebrity\n        ...FollowButton_user\n      }\n    }\n  }\n": typeof types.ChirpDocument,
    "\n  query RecentChirps($first: Int!, $after: String) {\n    recentChirps(first: $first, after: $after) {\n      edges {\n        cursor\n        node {\n          id\n          ...ChirpCard_chirp\n        }\n      }\n      pageInfo {\n        hasNextPage\n        endCursor\n      }\n    }\n  }\n": typeof types.RecentChirpsDocument,
    "\n  query RecentUsers($first: Int!, $after: String) {\n    recentUsers(first: $first, after: $after) {\n      edges {\n        cursor\n        node {\n          id\n          ...UserCard_user\n        }\n      }\n      pageInfo {\n        hasNextPage\n        endCursor\n      }\n    }\n  }\n": typeof types.RecentUsersDocument,
    "\n  mutation LogIn($input: LogInInput!) {\n    logIn(input: $input) {\n      token\n    }\n  }\n": typeof types.LogInDocument,
    "\n  mutation Register($input: RegisterUserInput!) {\n    registerUser(input: $input) {\n      token\n      position\n    }\n  }\n": typeof types.RegisterDocument,
    "\n  query Followers($username: String!, $first: Int!, $after: String) {\n    user(username: $username) {\n      id\n      username\n      followers(first: $first, after: $after) {\n        edges {\n          cursor\n          node {\n            id\n            ...UserCard_user\n          }\n        }\n        pageInfo {\n          hasNextPage\n          endCursor\n        }\n      }\n    }\n  }\n": typeof types.FollowersDocument,
    "\n  query Following($username: String!, $first: Int!, $after: String) {\n    user(username: $username) {\n      id\n      username\n      following(first: $first, after: $after) {\n        edges {\n          cursor\n          node {\n            id\n            ...UserCard_user\n          }\n        }\n        pageInfo {\n          hasNextPage\n          endCursor\n        }\n      }\n    }\n  }\n": typeof types.FollowingDocument,
    "\n  fragment ProfileHead_user on User {\n    id\n    username\n    joinedAt\n    followerCount\n    followingCount\n    chirpCount\n    isCelebrity\n    ...FollowButton_user\n  }\n": typeof types.ProfileHead_UserFragmentDoc,
    "\n  query Profile($username: String!, $first: Int!, $after: String) {\n    user(username: $username) {\n      id\n      chirpCount\n      ...ProfileHead_user\n      chirps(first: $first, after: $after) {\n        edges {\n          cursor\n          node {\n            id\n            ...ChirpCard_chirp\n          }\n        }\n        pageInfo {\n          hasNextPage\n          endCursor\n        }\n      }\n    }\n  }\n": typeof types.ProfileDocument,
    "\n  subscription ProfileUpdated($userId: ID!) {\n    profileUpdated(userId: $userId) {\n      id\n      followerCount\n      followingCount\n      chirpCount\n      isCelebrity\n    }\n  }\n": typeof types.ProfileUpdatedDocument,
    "\n  mutation LogOut($input: EndSessionInput!) {\n    endSession(input: $input) {\n      sessionId\n    }\n  }\n": typeof types.LogOutDocument,
    "\n  fragment Viewer_user on User {\n    id\n    username\n    followerCount\n    followingCount\n    chirpCount\n  }\n": typeof types.Viewer_UserFragmentDoc,
    "\n  query Viewer {\n    viewer {\n      id\n      ...Viewer_user\n    }\n  }\n": typeof types.ViewerDocument,
    "\n  subscription ViewerUpdated($userId: ID!) {\n    profileUpdated(userId: $userId) {\n      id\n      ...Viewer_user\n    }\n  }\n": typeof types.ViewerUpdatedDocument,
};
const documents: Documents = {
    "\n  mutation ChangePassword($input: ChangePasswordInput!) {\n    changePassword(input: $input) {\n      token\n    }\n  }\n": types.ChangePasswordDocument,
    "\n  fragment ChirpCard_chirp on Chirp {\n    id\n    content\n    postedAt\n    author {\n      id\n      username\n      isCelebrity\n    }\n  }\n": types.ChirpCard_ChirpFragmentDoc,
    "\n  mutation PostChirp($input: PostChirpInput!) {\n    postChirp(input: $input) {\n      position\n      chirp {\n        id\n        ...ChirpCard_chirp\n      }\n    }\n  }\n": types.PostChirpDocument,
    "\n  fragment FollowButton_user on User {\n    id\n    username\n    followerCount\n    viewerFollows\n  }\n": types.FollowButton_UserFragmentDoc,
    "\n  mutation Follow($input: FollowUserInput!) {\n    followUser(input: $input) {\n      position\n      followee {\n        id\n        followerCount\n        viewerFollows\n      }\n    }\n  }\n": types.FollowDocument,
    "\n  mutation Unfollow($input: UnfollowUserInput!) {\n    unfollowUser(input: $input) {\n      position\n      followee {\n        id\n        followerCount\n        viewerFollows\n      }\n    }\n  }\n": types.UnfollowDocument,
    "\n  fragment SessionRow_session on Session {\n    id\n    startedAt\n    lastUsedAt\n    address\n    userAgent\n    isCurrent\n  }\n": types.SessionRow_SessionFragmentDoc,
    "\n  query Sessions {\n    viewer {\n      id\n      sessions {\n        id\n        ...SessionRow_session\n      }\n    }\n  }\n": types.SessionsDocument,
    "\n  mutation EndSession($input: EndSessionInput!) {\n    endSession(input: $input) {\n      user {\n        id\n        sessions {\n          id\n          ...SessionRow_session\n        }\n      }\n    }\n  }\n": types.EndSessionDocument,
    "\n  mutation EndOtherSessions($input: EndAllSessionsInput!) {\n    endAllSessions(input: $input) {\n      user {\n        id\n        sessions {\n          id\n          ...SessionRow_session\n        }\n      }\n    }\n  }\n": types.EndOtherSessionsDocument,
    "\n  fragment UserCard_user on User {\n    id\n    username\n    followerCount\n    chirpCount\n    isCelebrity\n    ...FollowButton_user\n  }\n": types.UserCard_UserFragmentDoc,
    "\n  query Feed($first: Int!, $after: String) {\n    feed(first: $first, after: $after) {\n      edges {\n        cursor\n        node {\n          id\n          ...ChirpCard_chirp\n        }\n      }\n      pageInfo {\n        hasNextPage\n        hasPreviousPage\n        startCursor\n        endCursor\n      }\n    }\n  }\n": types.FeedDocument,
    "\n  subscription FeedAdded($after: String) {\n    feedChirpAdded(after: $after) {\n      cursor\n      node {\n        id\n        ...ChirpCard_chirp\n      }\n    }\n  }\n": types.FeedAddedDocument,
    "\n  query Chirp($id: ID!) {\n    chirp(id: $id) {\n      id\n      content\n      postedAt\n      author {\n        id\n        username\n        isCelebrity\n        ...FollowButton_user\n      }\n    }\n  }\n": types.ChirpDocument,
    "\n  query RecentChirps($first: Int!, $after: String) {\n    recentChirps(first: $first, after: $after) {\n      edges {\n        cursor\n        node {\n          id\n          ...ChirpCard_chirp\n        }\n      }\n      pageInfo {\n        hasNextPage\n        endCursor\n      }\n    }\n  }\n": types.RecentChirpsDocument,
    "\n  query RecentUsers($first: Int!, $after: String) {\n    recentUsers(first: $first, after: $after) {\n      edges {\n        cursor\n        node {\n          id\n          ...UserCard_user\n        }\n      }\n      pageInfo {\n        hasNextPage\n        endCursor\n      }\n    }\n  }\n": types.RecentUsersDocument,
    "\n  mutation LogIn($input: LogInInput!) {\n    logIn(input: $input) {\n      token\n    }\n  }\n": types.LogInDocument,
    "\n  mutation Register($input: RegisterUserInput!) {\n    registerUser(input: $input) {\n      token\n      position\n    }\n  }\n": types.RegisterDocument,
    "\n  query Followers($username: String!, $first: Int!, $after: String) {\n    user(username: $username) {\n      id\n      username\n      followers(first: $first, after: $after) {\n        edges {\n          cursor\n          node {\n            id\n            ...UserCard_user\n          }\n        }\n        pageInfo {\n          hasNextPage\n          endCursor\n        }\n      }\n    }\n  }\n": types.FollowersDocument,
    "\n  query Following($username: String!, $first: Int!, $after: String) {\n    user(username: $username) {\n      id\n      username\n      following(first: $first, after: $after) {\n        edges {\n          cursor\n          node {\n            id\n            ...UserCard_user\n          }\n        }\n        pageInfo {\n          hasNextPage\n          endCursor\n        }\n      }\n    }\n  }\n": types.FollowingDocument,
    "\n  fragment ProfileHead_user on User {\n    id\n    username\n    joinedAt\n    followerCount\n    followingCount\n    chirpCount\n    isCelebrity\n    ...FollowButton_user\n  }\n": types.ProfileHead_UserFragmentDoc,
    "\n  query Profile($username: String!, $first: Int!, $after: String) {\n    user(username: $username) {\n      id\n      chirpCount\n      ...ProfileHead_user\n      chirps(first: $first, after: $after) {\n        edges {\n          cursor\n          node {\n            id\n            ...ChirpCard_chirp\n          }\n        }\n        pageInfo {\n          hasNextPage\n          endCursor\n        }\n      }\n    }\n  }\n": types.ProfileDocument,
    "\n  subscription ProfileUpdated($userId: ID!) {\n    profileUpdated(userId: $userId) {\n      id\n      followerCount\n      followingCount\n      chirpCount\n      isCelebrity\n    }\n  }\n": types.ProfileUpdatedDocument,
    "\n  mutation LogOut($input: EndSessionInput!) {\n    endSession(input: $input) {\n      sessionId\n    }\n  }\n": types.LogOutDocument,
    "\n  fragment Viewer_user on User {\n    id\n    username\n    followerCount\n    followingCount\n    chirpCount\n  }\n": types.Viewer_UserFragmentDoc,
    "\n  query Viewer {\n    viewer {\n      id\n      ...Viewer_user\n    }\n  }\n": types.ViewerDocument,
    "\n  subscription ViewerUpdated($userId: ID!) {\n    profileUpdated(userId: $userId) {\n      id\n      ...Viewer_user\n    }\n  }\n": types.ViewerUpdatedDocument,
};

/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 *
 *
 * @example
 * ```ts
 * const query = graphql(`query GetUser($id: ID!) { user(id: $id) { name } }`);
 * ```
 *
 * The query argument is unknown!
 * Please regenerate the types.
 */
export function graphql(source: string): unknown;

/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation ChangePassword($input: ChangePasswordInput!) {\n    changePassword(input: $input) {\n      token\n    }\n  }\n"): (typeof documents)["\n  mutation ChangePassword($input: ChangePasswordInput!) {\n    changePassword(input: $input) {\n      token\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  fragment ChirpCard_chirp on Chirp {\n    id\n    content\n    postedAt\n    author {\n      id\n      username\n      isCelebrity\n    }\n  }\n"): (typeof documents)["\n  fragment ChirpCard_chirp on Chirp {\n    id\n    content\n    postedAt\n    author {\n      id\n      username\n      isCelebrity\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation PostChirp($input: PostChirpInput!) {\n    postChirp(input: $input) {\n      position\n      chirp {\n        id\n        ...ChirpCard_chirp\n      }\n    }\n  }\n"): (typeof documents)["\n  mutation PostChirp($input: PostChirpInput!) {\n    postChirp(input: $input) {\n      position\n      chirp {\n        id\n        ...ChirpCard_chirp\n      }\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  fragment FollowButton_user on User {\n    id\n    username\n    followerCount\n    viewerFollows\n  }\n"): (typeof documents)["\n  fragment FollowButton_user on User {\n    id\n    username\n    followerCount\n    viewerFollows\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation Follow($input: FollowUserInput!) {\n    followUser(input: $input) {\n      position\n      followee {\n        id\n        followerCount\n        viewerFollows\n      }\n    }\n  }\n"): (typeof documents)["\n  mutation Follow($input: FollowUserInput!) {\n    followUser(input: $input) {\n      position\n      followee {\n        id\n        followerCount\n        viewerFollows\n      }\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation Unfollow($input: UnfollowUserInput!) {\n    unfollowUser(input: $input) {\n      position\n      followee {\n        id\n        followerCount\n        viewerFollows\n      }\n    }\n  }\n"): (typeof documents)["\n  mutation Unfollow($input: UnfollowUserInput!) {\n    unfollowUser(input: $input) {\n      position\n      followee {\n        id\n        followerCount\n        viewerFollows\n      }\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  fragment SessionRow_session on Session {\n    id\n    startedAt\n    lastUsedAt\n    address\n    userAgent\n    isCurrent\n  }\n"): (typeof documents)["\n  fragment SessionRow_session on Session {\n    id\n    startedAt\n    lastUsedAt\n    address\n    userAgent\n    isCurrent\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Sessions {\n    viewer {\n      id\n      sessions {\n        id\n        ...SessionRow_session\n      }\n    }\n  }\n"): (typeof documents)["\n  query Sessions {\n    viewer {\n      id\n      sessions {\n        id\n        ...SessionRow_session\n      }\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation EndSession($input: EndSessionInput!) {\n    endSession(input: $input) {\n      user {\n        id\n        sessions {\n          id\n          ...SessionRow_session\n        }\n      }\n    }\n  }\n"): (typeof documents)["\n  mutation EndSession($input: EndSessionInput!) {\n    endSession(input: $input) {\n      user {\n        id\n        sessions {\n          id\n          ...SessionRow_session\n        }\n      }\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation EndOtherSessions($input: EndAllSessionsInput!) {\n    endAllSessions(input: $input) {\n      user {\n        id\n        sessions {\n          id\n          ...SessionRow_session\n        }\n      }\n    }\n  }\n"): (typeof documents)["\n  mutation EndOtherSessions($input: EndAllSessionsInput!) {\n    endAllSessions(input: $input) {\n      user {\n        id\n        sessions {\n          id\n          ...SessionRow_session\n        }\n      }\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  fragment UserCard_user on User {\n    id\n    username\n    followerCount\n    chirpCount\n    isCelebrity\n    ...FollowButton_user\n  }\n"): (typeof documents)["\n  fragment UserCard_user on User {\n    id\n    username\n    followerCount\n    chirpCount\n    isCelebrity\n    ...FollowButton_user\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Feed($first: Int!, $after: String) {\n    feed(first: $first, after: $after) {\n      edges {\n        cursor\n        node {\n          id\n          ...ChirpCard_chirp\n        }\n      }\n      pageInfo {\n        hasNextPage\n        hasPreviousPage\n        startCursor\n        endCursor\n      }\n    }\n  }\n"): (typeof documents)["\n  query Feed($first: Int!, $after: String) {\n    feed(first: $first, after: $after) {\n      edges {\n        cursor\n        node {\n          id\n          ...ChirpCard_chirp\n        }\n      }\n      pageInfo {\n        hasNextPage\n        hasPreviousPage\n        startCursor\n        endCursor\n      }\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  subscription FeedAdded($after: String) {\n    feedChirpAdded(after: $after) {\n      cursor\n      node {\n        id\n        ...ChirpCard_chirp\n      }\n    }\n  }\n"): (typeof documents)["\n  subscription FeedAdded($after: String) {\n    feedChirpAdded(after: $after) {\n      cursor\n      node {\n        id\n        ...ChirpCard_chirp\n      }\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Chirp($id: ID!) {\n    chirp(id: $id) {\n      id\n      content\n      postedAt\n      author {\n        id\n        username\n        isCelebrity\n        ...FollowButton_user\n      }\n    }\n  }\n"): (typeof documents)["\n  query Chirp($id: ID!) {\n    chirp(id: $id) {\n      id\n      content\n      postedAt\n      author {\n        id\n        username\n        isCelebrity\n        ...FollowButton_user\n      }\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query RecentChirps($first: Int!, $after: String) {\n    recentChirps(first: $first, after: $after) {\n      edges {\n        cursor\n        node {\n          id\n          ...ChirpCard_chirp\n        }\n      }\n      pageInfo {\n        hasNextPage\n        endCursor\n      }\n    }\n  }\n"): (typeof documents)["\n  query RecentChirps($first: Int!, $after: String) {\n    recentChirps(first: $first, after: $after) {\n      edges {\n        cursor\n        node {\n          id\n          ...ChirpCard_chirp\n        }\n      }\n      pageInfo {\n        hasNextPage\n        endCursor\n      }\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query RecentUsers($first: Int!, $after: String) {\n    recentUsers(first: $first, after: $after) {\n      edges {\n        cursor\n        node {\n          id\n          ...UserCard_user\n        }\n      }\n      pageInfo {\n        hasNextPage\n        endCursor\n      }\n    }\n  }\n"): (typeof documents)["\n  query RecentUsers($first: Int!, $after: String) {\n    recentUsers(first: $first, after: $after) {\n      edges {\n        cursor\n        node {\n          id\n          ...UserCard_user\n        }\n      }\n      pageInfo {\n        hasNextPage\n        endCursor\n      }\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation LogIn($input: LogInInput!) {\n    logIn(input: $input) {\n      token\n    }\n  }\n"): (typeof documents)["\n  mutation LogIn($input: LogInInput!) {\n    logIn(input: $input) {\n      token\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation Register($input: RegisterUserInput!) {\n    registerUser(input: $input) {\n      token\n      position\n    }\n  }\n"): (typeof documents)["\n  mutation Register($input: RegisterUserInput!) {\n    registerUser(input: $input) {\n      token\n      position\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Followers($username: String!, $first: Int!, $after: String) {\n    user(username: $username) {\n      id\n      username\n      followers(first: $first, after: $after) {\n        edges {\n          cursor\n          node {\n            id\n            ...UserCard_user\n          }\n        }\n        pageInfo {\n          hasNextPage\n          endCursor\n        }\n      }\n    }\n  }\n"): (typeof documents)["\n  query Followers($username: String!, $first: Int!, $after: String) {\n    user(username: $username) {\n      id\n      username\n      followers(first: $first, after: $after) {\n        edges {\n          cursor\n          node {\n            id\n            ...UserCard_user\n          }\n        }\n        pageInfo {\n          hasNextPage\n          endCursor\n        }\n      }\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Following($username: String!, $first: Int!, $after: String) {\n    user(username: $username) {\n      id\n      username\n      following(first: $first, after: $after) {\n        edges {\n          cursor\n          node {\n            id\n            ...UserCard_user\n          }\n        }\n        pageInfo {\n          hasNextPage\n          endCursor\n        }\n      }\n    }\n  }\n"): (typeof documents)["\n  query Following($username: String!, $first: Int!, $after: String) {\n    user(username: $username) {\n      id\n      username\n      following(first: $first, after: $after) {\n        edges {\n          cursor\n          node {\n            id\n            ...UserCard_user\n          }\n        }\n        pageInfo {\n          hasNextPage\n          endCursor\n        }\n      }\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  fragment ProfileHead_user on User {\n    id\n    username\n    joinedAt\n    followerCount\n    followingCount\n    chirpCount\n    isCelebrity\n    ...FollowButton_user\n  }\n"): (typeof documents)["\n  fragment ProfileHead_user on User {\n    id\n    username\n    joinedAt\n    followerCount\n    followingCount\n    chirpCount\n    isCelebrity\n    ...FollowButton_user\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Profile($username: String!, $first: Int!, $after: String) {\n    user(username: $username) {\n      id\n      chirpCount\n      ...ProfileHead_user\n      chirps(first: $first, after: $after) {\n        edges {\n          cursor\n          node {\n            id\n            ...ChirpCard_chirp\n          }\n        }\n        pageInfo {\n          hasNextPage\n          endCursor\n        }\n      }\n    }\n  }\n"): (typeof documents)["\n  query Profile($username: String!, $first: Int!, $after: String) {\n    user(username: $username) {\n      id\n      chirpCount\n      ...ProfileHead_user\n      chirps(first: $first, after: $after) {\n        edges {\n          cursor\n          node {\n            id\n            ...ChirpCard_chirp\n          }\n        }\n        pageInfo {\n          hasNextPage\n          endCursor\n        }\n      }\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  subscription ProfileUpdated($userId: ID!) {\n    profileUpdated(userId: $userId) {\n      id\n      followerCount\n      followingCount\n      chirpCount\n      isCelebrity\n    }\n  }\n"): (typeof documents)["\n  subscription ProfileUpdated($userId: ID!) {\n    profileUpdated(userId: $userId) {\n      id\n      followerCount\n      followingCount\n      chirpCount\n      isCelebrity\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation LogOut($input: EndSessionInput!) {\n    endSession(input: $input) {\n      sessionId\n    }\n  }\n"): (typeof documents)["\n  mutation LogOut($input: EndSessionInput!) {\n    endSession(input: $input) {\n      sessionId\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  fragment Viewer_user on User {\n    id\n    username\n    followerCount\n    followingCount\n    chirpCount\n  }\n"): (typeof documents)["\n  fragment Viewer_user on User {\n    id\n    username\n    followerCount\n    followingCount\n    chirpCount\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Viewer {\n    viewer {\n      id\n      ...Viewer_user\n    }\n  }\n"): (typeof documents)["\n  query Viewer {\n    viewer {\n      id\n      ...Viewer_user\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  subscription ViewerUpdated($userId: ID!) {\n    profileUpdated(userId: $userId) {\n      id\n      ...Viewer_user\n    }\n  }\n"): (typeof documents)["\n  subscription ViewerUpdated($userId: ID!) {\n    profileUpdated(userId: $userId) {\n      id\n      ...Viewer_user\n    }\n  }\n"];

export function graphql(source: string) {
  return (documents as any)[source] ?? {};
}

export type DocumentType<TDocumentNode extends DocumentNode<any, any>> = TDocumentNode extends DocumentNode<  infer TType,  any>  ? TType  : never;