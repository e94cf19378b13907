// Package e2e has the end-to-end tests on a real cluster: the operator is installed from config/default, the samples are applied,
// clients publish and install, and everything that can go away goes away and comes back. "make e2e" runs it on a cluster of its own;
// any other works, given a kubeconfig and loaded images (hack/e2e.sh).
package e2e
