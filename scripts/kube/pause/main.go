// Keeps a pod's namespaces open, as the image registry.k8s.io/pause does, for nodes that have no registry.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	<-ended
}
