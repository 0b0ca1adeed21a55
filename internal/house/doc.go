// Package house holds no code, only the rules of the house as tests: which
// package may import which, where the code must build, how it is formatted,
// that everything exported is documented and no code is dead.
//
// docs/architecture.md says why.
package house
