package history

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// ReadEdges returns the follows (follower, followee) among n users: both directions
// of each line of the file, or a generated graph if path is empty. The users are
// those with numbers below n or, if mostFollowed, the n with the most lines.
func ReadEdges(path string, n int, mostFollowed bool, r *rand.Rand) ([][2]int, error) {
	if path == "" {
		return generateEdges(n, r), nil
	}
	lines, err := readLines(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	number := func(id int) (int, bool) { return id, id < n }
	if mostFollowed {
		ranks := rank(lines)
		number = func(id int) (int, bool) { return ranks[id], ranks[id] < n }
	}
	var edges [][2]int
	for _, l := range lines {
		a, okA := number(l[0])
		b, okB := number(l[1])
		if a != b && okA && okB {
			edges = append(edges, [2]int{a, b}, [2]int{b, a})
		}
	}
	return edges, nil
}

// rank numbers ids from 0, those on the most lines first.
func rank(lines [][2]int) map[int]int {
	count := map[int]int{}
	for _, l := range lines {
		count[l[0]]++
		count[l[1]]++
	}
	ids := slices.SortedFunc(maps.Keys(count), func(a, b int) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a, b))
	})
	ranks := make(map[int]int, len(ids))
	for i, id := range ids {
		ranks[id] = i
	}
	return ranks
}

// readLines reads pairs of ids below a header.
func readLines(path string) ([][2]int, error) {
	in, err := open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	rows := csv.NewReader(in)
	rows.FieldsPerRecord = 2
	if _, err := rows.Read(); err != nil {
		return nil, err
	}
	var lines [][2]int
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return nil, err
		}
		a, errA := strconv.Atoi(row[0])
		b, errB := strconv.Atoi(row[1])
		if errA != nil || errB != nil || min(a, b) < 0 {
			return nil, fmt.Errorf("%q is not two numbers", row)
		}
		lines = append(lines, [2]int{a, b})
	}
}

// generateEdges returns a heavy-tailed graph by preferential attachment: each new
// user follows a few others, the more likely the more followers they have, and some
// of those follow back.
func generateEdges(n int, r *rand.Rand) [][2]int {
	var edges [][2]int
	popular := []int{0} // holds each user once, and once more for each follower
	for u := 1; u < n; u++ {
		chosen := map[int]bool{}
		for range 1 + r.IntN(8) {
			v := popular[r.IntN(len(popular))]
			if v == u || chosen[v] {
				continue
			}
			chosen[v] = true
			edges = append(edges, [2]int{u, v})
			popular = append(popular, v)
			if r.IntN(3) == 0 {
				edges = append(edges, [2]int{v, u})
			}
		}
		popular = append(popular, u)
	}
	return edges
}

// ReadTexts returns the lines of the file that are not blank, or generated texts if
// path is empty.
func ReadTexts(path string, r *rand.Rand) ([]string, error) {
	if path == "" {
		return generateTexts(r), nil
	}
	in, err := open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	var texts []string
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if text := strings.TrimSpace(lines.Text()); text != "" {
			texts = append(texts, text)
		}
	}
	if len(texts) == 0 && lines.Err() == nil {
		return nil, fmt.Errorf("read %s: it has no text", path)
	}
	return texts, lines.Err()
}

// generateTexts returns texts of random words, with letters of several scripts.
func generateTexts(r *rand.Rand) []string {
	words := strings.Fields("morning coffee train über città gelato 今日 は 天気 が いい привет друзья rain kite river 🌧 🎈 quiet music letters naïve piñata")
	texts := make([]string, 500)
	for i := range texts {
		var b strings.Builder
		for range 2 + r.IntN(20) {
			b.WriteString(words[r.IntN(len(words))] + " ")
		}
		texts[i] = b.String()
	}
	return texts
}

// open opens a file, and decompresses it if its name ends in .gz.
func open(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil || !strings.HasSuffix(path, ".gz") {
		return f, err
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return struct {
		io.Reader
		io.Closer
	}{z, f}, nil
}

// skew is how a user's followers fall with the user's rank, as they do in a real graph
// of 37,700 users with 289,003 edges: one user has 9,458 followers, 21 have more than
// 1,000, and half have 7 or fewer.
const skew = 0.73

// RandomGraph returns both directions of edges between n users, as in ReadEdges. User
// 0 has the most.
func RandomGraph(n, edges int, r *rand.Rand) [][2]int {
	weights := make([]float64, n) // cumulative
	sum := 0.0
	for i := range weights {
		sum += math.Pow(float64(i+1), -skew)
		weights[i] = sum
	}
	draw := func() int { return min(n-1, sort.SearchFloat64s(weights, r.Float64()*sum)) }
	drawn := make(map[[2]int]bool, edges)
	follows := make([][2]int, 0, 2*edges)
	for len(follows) < 2*edges {
		a, b := draw(), draw()
		pair := [2]int{min(a, b), max(a, b)}
		if a == b || drawn[pair] {
			continue
		}
		drawn[pair] = true
		follows = append(follows, [2]int{a, b}, [2]int{b, a})
	}
	return follows
}
