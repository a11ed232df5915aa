// The tabs shown on a first visit, in the order of a tour of the API.
const example = (query, variables) => ({ query, variables: variables && JSON.stringify(variables, null, 2), headers: null });

export const examples = [
  example(`# The newest chirps and users. Needs no token.
query Explore {
  recentChirps(first: 5) {
    edges {
      node {
        content
        postedAt
        author {
          username
        }
      }
    }
  }
  recentUsers(first: 5) {
    edges {
      node {
        id
        username
        followerCount
      }
    }
  }
}
`),
  example(
    `# Create an account. Its token is put into the field above, and
# operations that you run from then on run as that user.
mutation Register($username: String!, $password: String!) {
  registerUser(input: { username: $username, password: $password }) {
    user {
      id
      username
    }
    token
    position
  }
}
`,
    { username: 'me', password: 'correct horse' },
  ),
  example(
    `# Log in to an existing account. If the server runs with --demo,
# there is a user maren_k with the password chirp-demo.
mutation LogIn($username: String!, $password: String!) {
  logIn(input: { username: $username, password: $password }) {
    user {
      id
      username
    }
    token
  }
}
`,
    { username: 'me', password: 'correct horse' },
  ),
  example(
    `# The result of Explore contains user IDs.
mutation Follow($userId: ID!) {
  followUser(input: { userId: $userId }) {
    followee {
      username
      followerCount
      viewerFollows
    }
    position
  }
}
`,
    { userId: 'user_' },
  ),
  example(
    `mutation Post($content: String!) {
  postChirp(input: { content: $content }) {
    chirp {
      id
      content
      postedAt
    }
    position
  }
}
`,
    { content: 'Good morning!' },
  ),
  example(
    `# The chirps of the users you follow, newest first. For the next
# page, pass endCursor as "after".
query Feed($first: Int, $after: String) {
  feed(first: $first, after: $after) {
    edges {
      cursor
      node {
        content
        author {
          username
        }
      }
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
`,
    { first: 10 },
  ),
  example(`# Additions to your feed, as they happen. Pass the newest cursor
# that you have as "after" to miss nothing.
subscription FeedLive($after: String) {
  feedChirpAdded(after: $after) {
    cursor
    node {
      content
      postedAt
      author {
        username
      }
    }
  }
}
`),
];
