// Package lab boots real kernels for tests, as ordinary processes: no root, no
// KVM, nothing installed.
//
// The test binary itself is the payload. A test names its cases; on the host,
// Run boots a user-mode Linux kernel with this same binary as init; in the
// guest, the same test runs again and calls the cases for real. Their results
// and logs become subtests on the host.
//
//	func TestMain(m *testing.M) { lab.Main(m) }
//
//	func TestAssemble(t *testing.T) {
//		lab.Run(t, lab.Spec{
//			Modules: []string{"raid456"},
//			Disks:   []lab.Disk{{Size: 64 << 20}, {Size: 64 << 20}, {Size: 64 << 20}},
//		},
//			lab.Case{Name: "raid5", Run: func(t *testing.T, g *lab.Guest) {
//				// g.Disks is /dev/ubda, /dev/ubdb, /dev/ubdc; we are root.
//				...
//				if said := g.KernelLog(t); len(said) > 0 { t.Error(said) }
//			}},
//		)
//	}
//
// A test that must drive its machines (two kernels on one network, a power cut
// in the middle) declares its cases with Cases and boots with CaseSet.Start;
// host and guest then talk by Publish and Await, Tell and Await.
//
// The kernels come from the user's cache folder, see package fetch. If they are
// missing, the test is skipped, loudly. MDKIT_LAB changes that: "require" makes
// it a failure, "require" and "fetch" download what is missing, "off" skips
// without looking. MDKIT_LAB_KERNEL picks the default kernel by its role:
// oldest, stable, newest.
package lab
