// Validates custom resources, given as a JSON list on standard input, against the schemas in the packages of
// @kubernetes-models below the folder named by the first argument. Prints one line for each problem.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const packages = {
  "monitoring.coreos.com": "prometheus-operator",
  "keda.sh": "keda",
  "gateway.networking.k8s.io": "gateway-api",
};

let failed = false;
const fail = (doc, what) => {
  failed = true;
  console.log(`${doc.kind} ${doc.metadata?.name}: ${what}`);
};

for (const doc of JSON.parse(readFileSync(0, "utf8"))) {
  const [group, version] = doc.apiVersion.split("/");
  if (!packages[group]) {
    fail(doc, `no schema for ${doc.apiVersion}`);
    continue;
  }
  // The packages are imported by path: node looks for names only beside this file.
  const folder = join(process.argv[2], "node_modules/@kubernetes-models", packages[group]);
  const entry = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).exports[`./${group}/${version}`];
  if (!entry) {
    fail(doc, `no schema for ${doc.apiVersion}`);
    continue;
  }
  const models = await import(pathToFileURL(join(folder, entry.import)));
  if (!models[doc.kind]) {
    fail(doc, `no such kind in ${doc.apiVersion}`);
    continue;
  }
  try {
    new models[doc.kind](doc).validate();
  } catch (error) {
    fail(doc, error.message);
  }
}
process.exit(failed ? 1 : 0);
