/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the routes of dispatch.c name, a file for each subject. */
#pragma once
#include "zoned/zoned.h"

#define TIMEOUT_MAX_MS 86400000u
/* timeout_ms of a body, a day at most. h_zones.c */
uint64_t given_timeout(const json *body, uint64_t absent);

/* handlers, by file */
int h_list_zones(struct zd *, struct zd_request *, struct err *);
int h_create_zone(struct zd *, struct zd_request *, struct err *);
int h_run_zone(struct zd *, struct zd_request *, struct err *);
int h_get_zone(struct zd *, struct zd_request *, struct err *);
int h_patch_zone(struct zd *, struct zd_request *, struct err *);
int h_put_zone(struct zd *, struct zd_request *, struct err *);
int h_delete_zone(struct zd *, struct zd_request *, struct err *);
int h_get_zone_spec(struct zd *, struct zd_request *, struct err *);
int h_start_zone(struct zd *, struct zd_request *, struct err *);
int h_stop_zone(struct zd *, struct zd_request *, struct err *);
int h_restart_zone(struct zd *, struct zd_request *, struct err *);
int h_pause_zone(struct zd *, struct zd_request *, struct err *);
int h_resume_zone(struct zd *, struct zd_request *, struct err *);
int h_clear_zone(struct zd *, struct zd_request *, struct err *);
int h_kill_zone(struct zd *, struct zd_request *, struct err *);
int h_rename_zone(struct zd *, struct zd_request *, struct err *);
int h_clone_zone(struct zd *, struct zd_request *, struct err *);
int h_exec_zone(struct zd *, struct zd_request *, struct err *);
int h_attach_zone(struct zd *, struct zd_request *, struct err *);
int h_console_zone(struct zd *, struct zd_request *, struct err *);
int h_zone_logs(struct zd *, struct zd_request *, struct err *);
int h_zone_stats(struct zd *, struct zd_request *, struct err *);
int h_list_stats(struct zd *, struct zd_request *, struct err *);
int h_zone_ps(struct zd *, struct zd_request *, struct err *);
int h_zone_holders(struct zd *, struct zd_request *, struct err *);
int h_zone_diff(struct zd *, struct zd_request *, struct err *);
int h_get_archive(struct zd *, struct zd_request *, struct err *);
int h_put_archive(struct zd *, struct zd_request *, struct err *);
int h_wait_zone(struct zd *, struct zd_request *, struct err *);
int h_verify_spec(struct zd *, struct zd_request *, struct err *);
int h_apply_specs(struct zd *, struct zd_request *, struct err *);
int h_list_volumes(struct zd *, struct zd_request *, struct err *);
int h_create_volume(struct zd *, struct zd_request *, struct err *);
int h_get_volume(struct zd *, struct zd_request *, struct err *);
int h_delete_volume(struct zd *, struct zd_request *, struct err *);
int h_create_network(struct zd *, struct zd_request *, struct err *);
int h_delete_network(struct zd *, struct zd_request *, struct err *);
int h_commit_zone(struct zd *, struct zd_request *, struct err *);
int h_export_zone(struct zd *, struct zd_request *, struct err *);
int h_patch_network(struct zd *, struct zd_request *, struct err *);
int h_explain_zone(struct zd *, struct zd_request *, struct err *);
int h_list_images(struct zd *, struct zd_request *, struct err *);
int h_get_image(struct zd *, struct zd_request *, struct err *);
int h_delete_image(struct zd *, struct zd_request *, struct err *);
int h_import_image(struct zd *, struct zd_request *, struct err *);
int h_export_image(struct zd *, struct zd_request *, struct err *);
int h_tag_image(struct zd *, struct zd_request *, struct err *);
int h_install(struct zd *, struct zd_request *, struct err *);
int h_back_zone(struct zd *, struct zd_request *, struct err *);
int h_pack_zone(struct zd *, struct zd_request *, struct err *);
int h_pull_image(struct zd *, struct zd_request *, struct err *);
int h_build_image(struct zd *, struct zd_request *, struct err *);
int h_push_image(struct zd *, struct zd_request *, struct err *);
int h_prune_images(struct zd *, struct zd_request *, struct err *);
int h_verify_images(struct zd *, struct zd_request *, struct err *);
int h_list_networks(struct zd *, struct zd_request *, struct err *);
int h_get_network(struct zd *, struct zd_request *, struct err *);
int h_list_pools(struct zd *, struct zd_request *, struct err *);
int h_create_pool(struct zd *, struct zd_request *, struct err *);
int h_get_pool(struct zd *, struct zd_request *, struct err *);
int h_patch_pool(struct zd *, struct zd_request *, struct err *);
int h_delete_pool(struct zd *, struct zd_request *, struct err *);
int h_plan(struct zd *, struct zd_request *, struct err *);
int h_patch_host(struct zd *, struct zd_request *, struct err *);
int h_follow_events(struct zd *, struct zd_request *, struct err *);
int h_why(struct zd *, struct zd_request *, struct err *);
int h_metrics(struct zd *, struct zd_request *, struct err *);
int h_get_host(struct zd *, struct zd_request *, struct err *);
int h_doctor(struct zd *, struct zd_request *, struct err *);
int h_df(struct zd *, struct zd_request *, struct err *);
int h_version(struct zd *, struct zd_request *, struct err *);
int h_openapi(struct zd *, struct zd_request *, struct err *);
int h_shutdown(struct zd *, struct zd_request *, struct err *);
