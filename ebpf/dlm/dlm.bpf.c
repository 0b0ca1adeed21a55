//go:build ignore

// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Streams the tracepoints of the DLM (include/trace/events/dlm.h). Where their fields lie
 * differs between kernels: the loader reads it from tracefs and puts it into layouts.
 */
#include "../headers/bpf.h"

char licensed[] SEC("license") = "Dual MIT/GPL";

enum kind {
	LOCK_START,
	LOCK_END,
	UNLOCK_START,
	UNLOCK_END,
	AST,
	BAST,
	SEND_MESSAGE,
	RECV_MESSAGE,
	KINDS,
};

/* The numbers that a tracepoint may have; which ones an event has, layouts says. */
enum field {
	LS_ID,
	LKB_ID,
	MODE,
	FLAGS,
	STATUS,
	NODE,
	MESSAGE,
	REMOTE_ID,
	GRANTED,
	FIELDS,
};

#define ABSENT 0xffff
#define NAME_SIZE 64
#define VALUE_SIZE 64

/* Where a field lies in the record of a tracepoint, in bytes. */
struct place {
	__u16 offset; /* ABSENT: the event has no such field */
	__u16 size;   /* 1, 2, 4 or 8 */
};

struct layout {
	struct place fields[FIELDS];
	__u16 name;  /* of the __data_loc of res_name, or ABSENT */
	__u16 value; /* of the __data_loc of m_extra, or ABSENT */
};

volatile const struct layout layouts[KINDS];

struct event {
	__u64 time; /* nanoseconds since boot */
	__u32 pid, tid;
	__u32 cpu;
	__u32 kind;
	__s32 fields[FIELDS];
	__u16 name_len, value_len; /* bytes that there are, of which the arrays hold the first */
	char comm[16];
	char name[NAME_SIZE];
	char value[VALUE_SIZE];
};

/* Puts the type into the object's BTF. */
const struct event *in_btf __attribute__((unused));

struct {
	MAP_NUMBER(type, MAP_RINGBUF);
	MAP_NUMBER(max_entries, 1 << 22);
} events SEC(".maps");

/* sent and lost events, by CPU. */
struct counters {
	__u64 sent, lost;
};

struct {
	MAP_NUMBER(type, MAP_PERCPU_ARRAY);
	MAP_NUMBER(max_entries, 1);
	MAP_TYPE(key, __u32);
	MAP_TYPE(value, struct counters);
} counts SEC(".maps");

INLINE __u16 dynamic(void *ctx, __u16 place, char *to, __u32 size)
{
	__u32 loc = 0;

	if (place == ABSENT || read_kernel(&loc, sizeof(loc), ctx + place))
		return 0;
	__u32 len = loc >> 16;
	__u32 part = len < size ? len : size;
	if (part == size)
		read_kernel(to, size, ctx + (loc & 0xffff));
	else
		read_kernel(to, part & (size - 1), ctx + (loc & 0xffff));
	return len;
}

static __attribute__((noinline)) int record(void *ctx, enum kind kind)
{
	__u32 zero = 0;
	struct counters *count = map_lookup(&counts, &zero);
	if (!count)
		return 0;
	struct event *e = ring_reserve(&events, sizeof(*e), 0);
	if (!e) {
		count->lost++;
		return 0;
	}
	count->sent++;
	__builtin_memset(e, 0, sizeof(*e));
	__u64 id = current_pid_tgid();
	e->time = now();
	e->pid = id >> 32;
	e->tid = id;
	e->cpu = current_cpu();
	e->kind = kind;
	current_comm(e->comm, sizeof(e->comm));
#pragma unroll
	for (int i = 0; i < FIELDS; i++) {
		__u16 offset = layouts[kind].fields[i].offset;
		__u16 size = layouts[kind].fields[i].size;
		if (offset == ABSENT)
			continue;
		if (size == 1) {
			__u8 v = 0;
			read_kernel(&v, sizeof(v), ctx + offset);
			e->fields[i] = v;
		} else {
			__s32 v = 0; /* of a longer one, the low half: all kernels with a DLM are little-endian here */
			read_kernel(&v, sizeof(v), ctx + offset);
			e->fields[i] = v;
		}
	}
	e->name_len = dynamic(ctx, layouts[kind].name, e->name, NAME_SIZE);
	e->value_len = dynamic(ctx, layouts[kind].value, e->value, VALUE_SIZE);
	ring_submit(e, 0);
	return 0;
}

#define TRACE(name, kind)                                                                          \
	SEC("tracepoint/dlm/" #name) int name(void *ctx) { return record(ctx, kind); }

TRACE(dlm_lock_start, LOCK_START)
TRACE(dlm_lock_end, LOCK_END)
TRACE(dlm_unlock_start, UNLOCK_START)
TRACE(dlm_unlock_end, UNLOCK_END)
TRACE(dlm_ast, AST)
TRACE(dlm_bast, BAST)
TRACE(dlm_send_message, SEND_MESSAGE)
TRACE(dlm_recv_message, RECV_MESSAGE)
