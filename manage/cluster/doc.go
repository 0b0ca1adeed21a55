// Package cluster controls the kernel's DLM: it tells the kernel of the nodes, answers
// its requests to join and leave lockspaces, and takes lockspaces through a recovery
// when nodes come, go or die.
//
// [Serve] is a controller of its own, for a fixed list of nodes ([File]): the nodes
// agree by the protocol of [Step], over UDP. Beside corosync and dlm_controld, which
// do the same, nothing is controlled here; [Find] gives one [Controller] for both.
//
// # Restarts
//
// The kernel stops all lockspaces when the last descriptor of its monitor device
// closes. So that a controller can be restarted while they run, a small process
// ([Hold]) has the descriptor, and a connection from the controller. It outlives the
// controller by half of the time after which the other nodes count this one as dead,
// and no longer: a node without a controller would not notice that it has been cut off,
// and run on while the others recover from its death. What the controller knows is in
// a file on the same tmpfs.
package cluster
