// Package demo shows the main job from end to end, told as a short story by `make
// demo`: our mdadm makes, breaks, rebuilds and stops a RAID5 under a real kernel;
// then, without any md driver, mdkit reads the data back from the images with any
// one member missing. `make demo-cluster` tells of two nodes that share a mirror, and of
// what becomes of it when one of them dies.
package demo
