// Package emodel estimates how people would rate speech that they heard over a network: the
// E-model of the ITU-T in its fullband form (G.107.2), with the factors of Opus at the bit
// rate of the recording. It has no state.
package emodel
