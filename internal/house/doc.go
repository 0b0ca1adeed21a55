// Package house holds no code, only the rules of the house as tests: which
// package may know which, where the code must build, how it is formatted,
// that nothing exported goes undocumented and nothing is dead.
//
// docs/architecture.md says why.
package house
