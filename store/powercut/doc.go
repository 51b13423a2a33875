// Package powercut gives tests a disk that loses its power.
//
// Disk is a folder that lives in memory and is mounted through FUSE: a program of its own works in it as in any
// other (mapping its files too), and every write, change of length, new name and sync is kept in the order in which
// the disk has seen them. Any of these calls can be made to fail.
//
// Platter plays such a record up to any point and says what a disk may hold that loses its power there: what was
// synced before, and of what was not any part, in any order, torn at 512 bytes. A sync that failed leaves open what
// it wrote, also after a later one has succeeded (a kernel takes pages for clean that it could not write).
package powercut
