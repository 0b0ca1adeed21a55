/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What the programs need of the kernel's BPF interface: types, section names, and helpers
 * by their numbers (include/uapi/linux/bpf.h).
 */
#ifndef MDKIT_BPF_H
#define MDKIT_BPF_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;

#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))

/* The fields of a map's description in BTF. */
#define MAP_NUMBER(name, value) int (*name)[value]
#define MAP_TYPE(name, type) type *name

enum map_type {
	MAP_HASH = 1,
	MAP_ARRAY = 2,
	MAP_PERCPU_ARRAY = 6,
	MAP_RINGBUF = 27,
};

static void *(*const map_lookup)(void *map, const void *key) = (void *)1;
static __u32 (*const current_cpu)(void) = (void *)8;
static __u64 (*const current_pid_tgid)(void) = (void *)14;
static long (*const current_comm)(void *buf, __u32 size) = (void *)16;
static long (*const read_kernel)(void *dst, __u32 size, const void *from) = (void *)113;
static __u64 (*const now)(void) = (void *)125; /* ktime_get_boot_ns */
static void *(*const ring_reserve)(void *ring, __u64 size, __u64 flags) = (void *)131;
static void (*const ring_submit)(void *data, __u64 flags) = (void *)132;

#endif
