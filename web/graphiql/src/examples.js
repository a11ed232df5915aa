// The tabs of a first visit, in the order of a first walk through the API.
const example = (query, variables) => ({ query, variables: variables && JSON.stringify(variables, null, 2), headers: null });

export const examples = [
  example(`# What is going on, and who is here. It needs no token.
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
    `# Make an account. The token goes into the field above, and what
# you run from then on, you run as that user.
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
    `# For those who have an account. Where the server runs with --demo,
# maren_k is one of its people, and her password is chirp-demo.
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
    `# Ids of users are in the answer of Explore.
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
    `# The chirps of those whom you follow, newest first. For the next
# page, give endCursor as "after".
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
  example(`# What is added to your feed, as it happens. With the newest
# cursor that you have as "after", nothing is missed.
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
