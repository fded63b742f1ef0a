/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a plan: refused or taken; what is taken survives a second round unchanged. */
#include "base/auto.h"
#include "zoned/sup/plan.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct plan *p auto_of(plan_free) = NULL;
    struct plan *q auto_of(plan_free) = NULL;
    auto_js json *j = js_parse((const char *)data, size, NULL);
    if (!j || plan_from_json(j, &p, NULL) < 0)
        return 0;
    auto_js json *again = plan_to_json(p);
    js_free(plan_describe(p));
    if (plan_from_json(again, &q, NULL) < 0)
        abort();
    auto_js json *third = plan_to_json(q);
    auto_free char *a = js_dump(again, false);
    auto_free char *b = js_dump(third, false);
    if (strcmp(a, b) != 0)
        abort();
    return 0;
}
