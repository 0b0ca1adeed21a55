// Package mapper is the library behind the tools for device-mapper devices: it plans
// changes and applies them, manages the nodes in /dev/mapper, waits for udev, and says
// why something was refused. It prints nothing and knows no command line.
//
// A [Mapper] combines what that needs: a control device, the folder of nodes, and the
// way to work with udev. Its Plan methods lay down every step of a change, which can be
// shown (--dry-run) or applied; a change that fails half way is undone.
//
// Names and UUIDs are those in the kernel. [Mangle] and [Unmangle] translate between
// them and what people write.
package mapper
