/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs of the API as one table: method, path, role, body, handler, and the fields of its body and query. A test holds it
 * against specs/openapi.json. */
#include "zoned/handlers.h"
#include "zoned/zoned.h"

/* ---- fields of bodies and queries ---- */
#define MAY(name, type)                                                                                      \
    {                                                                                                        \
        name, type, false, NULL                                                                              \
    }
#define MUST(name, type)                                                                                     \
    {                                                                                                        \
        name, type, true, NULL                                                                               \
    }
#define END                                                                                                  \
    {                                                                                                        \
        NULL, ZD_ANY, false, NULL                                                                            \
    }
static const struct zd_field source[] = {MAY("file", ZD_TEXT), MUST("text", ZD_TEXT), END};
/* NetworkSpec: specs/network.c knows its keys and types. */
static const struct zd_field network[] = {MUST("*", ZD_ANY), END};
static const struct zd_field created[] = {MAY("name", ZD_TEXT),        {"source", ZD_OBJECT, false, source},
                                          MAY("set", ZD_TEXTS),        MAY("start", ZD_BOOL),
                                          MAY("publish_all", ZD_BOOL), END};
static const struct zd_field run[] = {MAY("name", ZD_TEXT),
                                      {"source", ZD_OBJECT, false, source},
                                      MAY("set", ZD_TEXTS),
                                      MAY("rm", ZD_BOOL),
                                      MAY("detach", ZD_BOOL),
                                      MAY("tty", ZD_BOOL),
                                      MAY("stdin", ZD_BOOL),
                                      MAY("rows", ZD_INT),
                                      MAY("cols", ZD_INT),
                                      MAY("publish_all", ZD_BOOL),
                                      END};
static const struct zd_field set[] = {MUST("set", ZD_TEXTS), END};
static const struct zd_field put[] = {{"source", ZD_OBJECT, true, source}, END};
static const struct zd_field start[] = {MAY("dry_run", ZD_BOOL), MAY("timeout_ms", ZD_INT), END};
static const struct zd_field stop[] = {MAY("timeout_ms", ZD_INT), MAY("force", ZD_BOOL), END};
static const struct zd_field timeout[] = {MAY("timeout_ms", ZD_INT), END};
static const struct zd_field kill_[] = {MAY("signal", ZD_TEXT), END};
static const struct zd_field renamed[] = {MUST("new", ZD_TEXT), END};
static const struct zd_field exec[] = {MAY("args", ZD_TEXTS),
                                       MAY("env", ZD_TEXTS),
                                       MAY("user", ZD_TEXT),
                                       MAY("cwd", ZD_TEXT),
                                       MAY("login", ZD_BOOL),
                                       MAY("detach", ZD_BOOL),
                                       MAY("tty", ZD_BOOL),
                                       MAY("stdin", ZD_BOOL),
                                       MAY("rows", ZD_INT),
                                       MAY("cols", ZD_INT),
                                       END};
static const struct zd_field attached[] = {MAY("tty", ZD_BOOL), MAY("stdin", ZD_BOOL), MAY("rows", ZD_INT),
                                           MAY("cols", ZD_INT), END};
static const struct zd_field ref[] = {MUST("ref", ZD_TEXT), END};
static const struct zd_field path[] = {MUST("path", ZD_TEXT), END};
static const struct zd_field pack[] = {
    MAY("path", ZD_TEXT), MAY("ref", ZD_TEXT), {"source", ZD_OBJECT, false, source}, END};
static const struct zd_field install[] = {MUST("ref", ZD_TEXT),
                                          MAY("name", ZD_TEXT),
                                          MAY("digest", ZD_TEXT),
                                          MAY("set", ZD_OBJECT),
                                          MAY("allow", ZD_TEXTS),
                                          MAY("dry_run", ZD_BOOL),
                                          END};
static const struct zd_field verify[] = {
    {"source", ZD_OBJECT, true, source}, MAY("set", ZD_TEXTS), MAY("host", ZD_BOOL), END};
static const struct zd_field apply[] = {{"sources", ZD_OBJECTS, true, source}, MAY("dry_run", ZD_BOOL), END};
static const struct zd_field plan[] = {{"sources", ZD_OBJECTS, true, source}, MAY("set", ZD_TEXTS), END};
static const struct zd_field name[] = {MUST("name", ZD_TEXT), END};
static const struct zd_field pool[] = {MUST("name", ZD_TEXT), MAY("set", ZD_TEXTS), END};
static const struct zd_field import[] = {MUST("path", ZD_TEXT), MAY("ref", ZD_TEXT), END};
static const struct zd_field export[] = {MUST("path", ZD_TEXT), MAY("format", ZD_TEXT), END};
static const struct zd_field credential[] = {MAY("username", ZD_TEXT), MAY("password", ZD_TEXT),
                                             MAY("identity_token", ZD_TEXT), MAY("registry_token", ZD_TEXT),
                                             END};
#define TRANSFER                                                                                             \
    MAY("platform", ZD_TEXT), MAY("insecure", ZD_BOOL), MAY("ca", ZD_TEXT),                                  \
        {"credential", ZD_OBJECT, false, credential}, MAY("parallel", ZD_INT)
static const struct zd_field pull[] = {MUST("ref", ZD_TEXT), TRANSFER, END};
static const struct zd_field push[] = {MAY("target", ZD_TEXT), TRANSFER, END};
static const struct zd_field build[] = {{"source", ZD_OBJECT, true, source},
                                        MAY("folder", ZD_TEXT),
                                        MAY("ref", ZD_TEXT),
                                        MAY("epoch", ZD_INT),
                                        MAY("no_cache", ZD_BOOL),
                                        MAY("env", ZD_TEXTS),
                                        END};
static const struct zd_field q_list[] = {MAY("label", ZD_TEXTS), MAY("spec", ZD_BOOL), END};
static const struct zd_field q_force[] = {MAY("force", ZD_BOOL), END};
static const struct zd_field q_logs[] = {MAY("tail", ZD_INT), MAY("since", ZD_INT), MAY("follow", ZD_BOOL),
                                         MAY("timestamps", ZD_BOOL), END};
static const struct zd_field q_why[] = {MAY("interval_ms", ZD_INT), END};
static const struct zd_field q_stats[] = {MAY("zone", ZD_TEXTS), MAY("use", ZD_TEXT), END};
static const struct zd_field q_explain[] = {MUST("port", ZD_TEXT), MAY("from", ZD_TEXT), END};
static const struct zd_field q_wait[] = {MAY("for", ZD_TEXT), MAY("timeout_ms", ZD_INT), END};
static const struct zd_field q_follow[] = {MAY("follow", ZD_BOOL), END};

const struct zd_route zd_routes[] = {
    {"GET", "/v1/zones", ROLE_VIEWER, BODY_NONE, h_list_zones, "listZones", NULL, q_list},
    {"POST", "/v1/zones", ROLE_ADMIN, BODY_JSON, h_create_zone, "createZone", created, NULL},
    {"POST", "/v1/run", ROLE_ADMIN, BODY_JSON, h_run_zone, "runZone", run, NULL},
    {"GET", "/v1/zones/{name}", ROLE_VIEWER, BODY_NONE, h_get_zone, "getZone", NULL, NULL},
    {"PATCH", "/v1/zones/{name}", ROLE_ADMIN, BODY_JSON, h_patch_zone, "patchZone", set, NULL},
    {"PUT", "/v1/zones/{name}", ROLE_ADMIN, BODY_JSON, h_put_zone, "putZone", put, NULL},
    {"DELETE", "/v1/zones/{name}", ROLE_ADMIN, BODY_NONE, h_delete_zone, "deleteZone", NULL, q_force},
    {"GET", "/v1/zones/{name}/spec", ROLE_ADMIN, BODY_NONE, h_get_zone_spec, "getZoneSpec", NULL, NULL},
    {"POST", "/v1/zones/{name}/start", ROLE_OPERATOR, BODY_JSON, h_start_zone, "startZone", start, NULL},
    {"POST", "/v1/zones/{name}/stop", ROLE_OPERATOR, BODY_JSON, h_stop_zone, "stopZone", stop, NULL},
    {"POST", "/v1/zones/{name}/restart", ROLE_OPERATOR, BODY_JSON, h_restart_zone, "restartZone", timeout,
     NULL},
    {"POST", "/v1/zones/{name}/pause", ROLE_OPERATOR, BODY_JSON, h_pause_zone, "pauseZone", NULL, NULL},
    {"POST", "/v1/zones/{name}/resume", ROLE_OPERATOR, BODY_JSON, h_resume_zone, "resumeZone", NULL, NULL},
    {"POST", "/v1/zones/{name}/clear", ROLE_OPERATOR, BODY_JSON, h_clear_zone, "clearZone", NULL, NULL},
    {"POST", "/v1/zones/{name}/kill", ROLE_OPERATOR, BODY_JSON, h_kill_zone, "killZone", kill_, NULL},
    {"POST", "/v1/zones/{name}/rename", ROLE_ADMIN, BODY_JSON, h_rename_zone, "renameZone", renamed, NULL},
    {"POST", "/v1/zones/{name}/clone", ROLE_ADMIN, BODY_JSON, h_clone_zone, "cloneZone", renamed, NULL},
    {"POST", "/v1/zones/{name}/exec", ROLE_ADMIN, BODY_JSON, h_exec_zone, "execZone", exec, NULL},
    {"POST", "/v1/zones/{name}/attach", ROLE_ADMIN, BODY_JSON, h_attach_zone, "attachZone", attached, NULL},
    {"POST", "/v1/zones/{name}/console", ROLE_ADMIN, BODY_JSON, h_console_zone, "consoleZone", attached,
     NULL},
    {"GET", "/v1/zones/{name}/logs", ROLE_VIEWER, BODY_NONE, h_zone_logs, "zoneLogs", NULL, q_logs},
    {"GET", "/v1/zones/{name}/stats", ROLE_VIEWER, BODY_NONE, h_zone_stats, "zoneStats", NULL, NULL},
    {"GET", "/v1/zones/{name}/why", ROLE_VIEWER, BODY_NONE, h_why, "zoneWhy", NULL, q_why},
    {"GET", "/v1/stats", ROLE_VIEWER, BODY_NONE, h_list_stats, "listStats", NULL, q_stats},
    {"GET", "/v1/zones/{name}/ps", ROLE_VIEWER, BODY_NONE, h_zone_ps, "zonePs", NULL, NULL},
    {"GET", "/v1/zones/{name}/holders", ROLE_VIEWER, BODY_NONE, h_zone_holders, "zoneHolders", NULL, NULL},
    {"GET", "/v1/zones/{name}/diff", ROLE_VIEWER, BODY_NONE, h_zone_diff, "zoneDiff", NULL, NULL},
    {"GET", "/v1/zones/{name}/archive", ROLE_ADMIN, BODY_NONE, h_get_archive, "getArchive", NULL, path},
    {"PUT", "/v1/zones/{name}/archive", ROLE_ADMIN, BODY_SPOOL, h_put_archive, "putArchive", NULL, path},
    {"POST", "/v1/zones/{name}/commit", ROLE_ADMIN, BODY_JSON, h_commit_zone, "commitZone", ref, NULL},
    {"POST", "/v1/zones/{name}/export", ROLE_ADMIN, BODY_JSON, h_export_zone, "exportZone", path, NULL},
    {"GET", "/v1/zones/{name}/explain", ROLE_VIEWER, BODY_NONE, h_explain_zone, "explainZone", NULL,
     q_explain},
    {"POST", "/v1/zones/{name}/pack", ROLE_ADMIN, BODY_JSON, h_pack_zone, "packZone", pack, NULL},
    {"POST", "/v1/zones/{name}/back", ROLE_ADMIN, BODY_JSON, h_back_zone, "backZone", NULL, NULL},
    {"POST", "/v1/install", ROLE_ADMIN, BODY_JSON, h_install, "installPackage", install, NULL},
    {"GET", "/v1/zones/{name}/wait", ROLE_VIEWER, BODY_NONE, h_wait_zone, "waitZone", NULL, q_wait},
    {"POST", "/v1/verify", ROLE_VIEWER, BODY_JSON, h_verify_spec, "verifySpec", verify, NULL},
    {"POST", "/v1/apply", ROLE_ADMIN, BODY_JSON, h_apply_specs, "applySpecs", apply, NULL},
    {"GET", "/v1/volumes", ROLE_VIEWER, BODY_NONE, h_list_volumes, "listVolumes", NULL, NULL},
    {"POST", "/v1/volumes", ROLE_ADMIN, BODY_JSON, h_create_volume, "createVolume", name, NULL},
    {"GET", "/v1/volumes/{name}", ROLE_VIEWER, BODY_NONE, h_get_volume, "getVolume", NULL, NULL},
    {"DELETE", "/v1/volumes/{name}", ROLE_ADMIN, BODY_NONE, h_delete_volume, "deleteVolume", NULL, NULL},
    {"GET", "/v1/images", ROLE_VIEWER, BODY_NONE, h_list_images, "listImages", NULL, NULL},
    {"POST", "/v1/images/import", ROLE_ADMIN, BODY_JSON, h_import_image, "importImage", import, NULL},
    {"POST", "/v1/images/pull", ROLE_ADMIN, BODY_JSON, h_pull_image, "pullImage", pull, NULL},
    {"POST", "/v1/images/build", ROLE_ADMIN, BODY_JSON, h_build_image, "buildImage", build, NULL},
    {"POST", "/v1/images/prune", ROLE_ADMIN, BODY_JSON, h_prune_images, "pruneImages", NULL, NULL},
    {"POST", "/v1/images/verify", ROLE_ADMIN, BODY_JSON, h_verify_images, "verifyImages", NULL, NULL},
    {"GET", "/v1/images/{ref}", ROLE_VIEWER, BODY_NONE, h_get_image, "getImage", NULL, NULL},
    {"DELETE", "/v1/images/{ref}", ROLE_ADMIN, BODY_NONE, h_delete_image, "deleteImage", NULL, NULL},
    {"POST", "/v1/images/{ref}/tag", ROLE_ADMIN, BODY_JSON, h_tag_image, "tagImage", name, NULL},
    {"POST", "/v1/images/{ref}/export", ROLE_ADMIN, BODY_JSON, h_export_image, "exportImage", export, NULL},
    {"POST", "/v1/images/{ref}/push", ROLE_ADMIN, BODY_JSON, h_push_image, "pushImage", push, NULL},
    {"GET", "/v1/networks", ROLE_VIEWER, BODY_NONE, h_list_networks, "listNetworks", NULL, NULL},
    {"POST", "/v1/networks", ROLE_ADMIN, BODY_JSON, h_create_network, "createNetwork", network, NULL},
    {"DELETE", "/v1/networks/{name}", ROLE_ADMIN, BODY_NONE, h_delete_network, "deleteNetwork", NULL, NULL},
    {"GET", "/v1/networks/{name}", ROLE_VIEWER, BODY_NONE, h_get_network, "getNetwork", NULL, NULL},
    {"PATCH", "/v1/networks/{name}", ROLE_ADMIN, BODY_JSON, h_patch_network, "patchNetwork", network, NULL},
    {"GET", "/v1/pools", ROLE_VIEWER, BODY_NONE, h_list_pools, "listPools", NULL, NULL},
    {"POST", "/v1/pools", ROLE_ADMIN, BODY_JSON, h_create_pool, "createPool", pool, NULL},
    {"GET", "/v1/pools/{name}", ROLE_VIEWER, BODY_NONE, h_get_pool, "getPool", NULL, NULL},
    {"PATCH", "/v1/pools/{name}", ROLE_ADMIN, BODY_JSON, h_patch_pool, "patchPool", set, NULL},
    {"DELETE", "/v1/pools/{name}", ROLE_ADMIN, BODY_NONE, h_delete_pool, "deletePool", NULL, NULL},
    {"POST", "/v1/plan", ROLE_VIEWER, BODY_JSON, h_plan, "plan", plan, NULL},
    {"PATCH", "/v1/host", ROLE_ADMIN, BODY_JSON, h_patch_host, "patchHost", set, NULL},
    {"GET", "/v1/events", ROLE_VIEWER, BODY_NONE, h_follow_events, "followEvents", NULL, q_follow},
    {"GET", "/v1/metrics", ROLE_VIEWER, BODY_NONE, h_metrics, "metrics", NULL, NULL},
    {"GET", "/v1/host", ROLE_VIEWER, BODY_NONE, h_get_host, "getHost", NULL, NULL},
    {"GET", "/v1/doctor", ROLE_VIEWER, BODY_NONE, h_doctor, "doctor", NULL, NULL},
    {"GET", "/v1/df", ROLE_VIEWER, BODY_NONE, h_df, "df", NULL, NULL},
    {"GET", "/v1/version", ROLE_VIEWER, BODY_NONE, h_version, "version", NULL, NULL},
    {"GET", "/v1/openapi.json", ROLE_VIEWER, BODY_NONE, h_openapi, "openapi", NULL, NULL},
    {"POST", "/v1/shutdown", ROLE_ADMIN, BODY_JSON, h_shutdown, "shutdown", timeout, NULL},
};
const unsigned zd_nroutes = sizeof(zd_routes) / sizeof(zd_routes[0]);
