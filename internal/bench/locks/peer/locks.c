/* SPDX-License-Identifier: MIT */
/*
 * Locks, converts and unlocks through libdlm: locks ROUNDS prints how many nanoseconds that
 * took. The lockspace exists.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libdlm.h>

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 0;
	dlm_lshandle_t ls = dlm_open_lockspace("bench");

	if (!ls) {
		perror("dlm_open_lockspace bench");
		return 1;
	}
	long long began = now();
	for (int i = 0; i < rounds; i++) {
		struct dlm_lksb lksb;

		memset(&lksb, 0, sizeof(lksb));
		if (dlm_ls_lock_wait(ls, LKM_PRMODE, &lksb, 0, "resource", 8, 0, NULL, NULL, NULL) || lksb.sb_status) {
			perror("lock");
			return 1;
		}
		if (dlm_ls_lock_wait(ls, LKM_EXMODE, &lksb, LKF_CONVERT, "resource", 8, 0, NULL, NULL, NULL) || lksb.sb_status) {
			perror("convert");
			return 1;
		}
		if (dlm_ls_unlock_wait(ls, lksb.sb_lkid, 0, &lksb)) {
			perror("unlock");
			return 1;
		}
	}
	printf("%lld\n", now() - began);
	return 0;
}
