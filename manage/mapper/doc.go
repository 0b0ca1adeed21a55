// Package mapper is what the tools do to device-mapper devices, as a library:
// it plans changes and applies them, keeps the nodes in /dev/mapper, waits for
// udev, and says why something was refused. It prints nothing and knows no
// command line.
//
// A [Mapper] joins what it takes: a control device, the folder of nodes, and
// how to get along with udev. Its Plan methods lay down every step of a change,
// which can be shown (--dry-run) or applied; what fails half way is taken back.
//
// Names and UUIDs are the kernel's. [Mangle] and [Unmangle] translate between
// them and what people write.
package mapper
