package mongotest

import "context"

// Serve runs a single-node replica set until ctx ends, for tests that are not
// written in Go. It calls tell with the connection string once the node is primary.
func Serve(ctx context.Context, tell func(uri string)) error {
	set, err := startReplicaSet(1, nil)
	if err != nil {
		return err
	}
	defer set.close()
	tell(set.URI())
	<-ctx.Done()
	return nil
}
