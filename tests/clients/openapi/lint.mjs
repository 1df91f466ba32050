// What redocly's recommended rules say of an OpenAPI document, as JSON: severity, rule, place.
import { createConfig, lint } from "@redocly/openapi-core";

const config = await createConfig({ extends: ["recommended"] });
const found = await lint({ ref: process.argv[2], config });
const told = found.map(({ severity, ruleId, message, location }) => ({ severity, ruleId, message, at: location[0]?.pointer }));
console.log(JSON.stringify(told));
