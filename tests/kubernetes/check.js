// SPDX-License-Identifier: MIT
// usage: node check.js NODE_MODULES_DIR MANIFEST.yaml|BASE...
// Holds rendered manifests, or the resources of a kustomize base, against the models of the API that the official client
// is generated from: every field must exist, be of its type, and those that the API
// requires must be there. Then what the API cannot know: that labels meet selectors,
// volumes their mounts, ports their names, keys of the Secret their readers, variables
// telephone's keys, and that each container keeps the `restricted` standard.
'use strict';
const fs = require('fs');
const path = require('path');
const { createRequire } = require('module');
const need = createRequire(path.resolve(process.argv[2], 'package.json'));
const yaml = need('js-yaml');
const modules = path.join(process.argv[2], 'node_modules');
const models = path.resolve(modules, '@kubernetes/client-node/dist/gen/models');
let failed = 0;
let passed = 0;

function report(good, what) {
  if (good) passed++;
  else {
    failed++;
    console.log('FAIL kubernetes:', what);
  }
}

// Custom resources are not the client's; what ours uses of this one.
const CUSTOM = { 'monitoring.coreos.com/v1/ServiceMonitor': ['selector', 'endpoints'] };
const classes = new Map();
async function model(name) {
  if (!classes.has(name)) {
    const file = path.join(models, `${name}.js`);
    if (!fs.existsSync(file)) return null;
    const types = fs.readFileSync(path.join(models, `${name}.d.ts`), 'utf8');
    const required = [...types.matchAll(/^ {4}'([^']+)': /gm)].map((m) => m[1]);
    classes.set(name, { map: (await import(file))[name].getAttributeTypeMap(), required });
  }
  return classes.get(name);
}

async function walk(value, type, where) {
  let m;
  if ((m = /^Array<(.*)>$/.exec(type))) {
    report(Array.isArray(value), `${where} is no list`);
    if (Array.isArray(value))
      for (const [i, v] of value.entries()) await walk(v, m[1], `${where}[${i}]`);
  } else if ((m = /^\{ \[key: string\]: (.*); \}$/.exec(type))) {
    for (const [k, v] of Object.entries(value)) await walk(v, m[1], `${where}.${k}`);
  } else if (['string', 'number', 'boolean'].includes(type)) {
    report(typeof value === type, `${where} is no ${type}: ${JSON.stringify(value)}`);
  } else if (type === 'IntOrString') {
    report(['string', 'number'].includes(typeof value), `${where} is no IntOrString`);
  } else {
    const c = await model(type);
    if (c === null) return;
    report(value !== null && typeof value === 'object', `${where} is no ${type}`);
    for (const name of c.required) {
      const base = c.map.find((a) => a.name === name).baseName;
      report(base in value, `${where} has no ${base}`);
    }
    for (const [k, v] of Object.entries(value)) {
      const a = c.map.find((e) => e.baseName === k);
      report(a !== undefined, `${where}: ${type} has no field ${k}`);
      if (a !== undefined) await walk(v, a.type, `${where}.${k}`);
    }
  }
}

function className({ apiVersion, kind }) {
  const version = apiVersion.split('/').pop();
  return version[0].toUpperCase() + version.slice(1) + kind;
}

// The keys of the configuration, and a size of it or of Kubernetes in bytes.
const KEYS = [...fs.readFileSync('common/conf.c', 'utf8').matchAll(/^ {4}ROW\((\w+),/gm)].map((m) => m[1]);
function bytes(text) {
  const [, number, unit] = /^(\d+)([KMG]i)B?$/.exec(text);
  return number * 1024 ** (1 + 'KMG'.indexOf(unit[0]));
}

function has(labels, wanted) {
  return Object.entries(wanted).every(([k, v]) => (labels || {})[k] === v);
}

function checkContainer(pod, container, secret, claims, where) {
  const s = { ...pod.securityContext, ...container.securityContext };
  report(s.runAsNonRoot === true, `${where} may run as root`);
  report(s.allowPrivilegeEscalation === false, `${where} may escalate`);
  report(((s.capabilities || {}).drop || []).includes('ALL'), `${where} keeps capabilities`);
  report((s.seccompProfile || {}).type === 'RuntimeDefault', `${where} has no seccomp profile`);
  const volumes = [...(pod.volumes || []).map((v) => v.name), ...claims];
  for (const m of container.volumeMounts || [])
    report(volumes.includes(m.name), `${where} mounts ${m.name}, which is no volume`);
  const ports = (container.ports || []).map((p) => p.name);
  for (const kind of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
    const probe = container[kind];
    if (probe)
      report(typeof probe.httpGet.port === 'number' || ports.includes(probe.httpGet.port), `${where}: ${kind}'s port`);
  }
  const mounts = (container.volumeMounts || []).map((m) => m.mountPath);
  for (const e of container.env || []) {
    if (!/_FILE$/.test(e.name)) continue;
    const file = path.basename(e.value);
    report(mounts.includes(path.dirname(e.value)), `${where}: ${e.name} is on no volume`);
    report(file.startsWith('$(') || file in secret.stringData, `${where}: the Secret has no ${file}`);
  }
}

function checkTogether(docs, file) {
  const find = (kind) => docs.filter((d) => d.kind === kind);
  const [secret] = find('Secret');
  const workloads = docs.filter((d) => ['Deployment', 'StatefulSet'].includes(d.kind));
  report(workloads.length === 1, `${file}: one workload`);
  for (const w of workloads) {
    const { spec, metadata } = w.spec.template;
    report(has(metadata.labels, w.spec.selector.matchLabels), `${file}: the selector meets its own pods`);
    const claims = (w.spec.volumeClaimTemplates || []).map((c) => c.metadata.name);
    for (const c of [...(spec.initContainers || []), ...spec.containers])
      checkContainer(spec, c, secret, claims, `${file}: ${w.kind}/${w.metadata.name}/${c.name}`);
    const t = [...(spec.initContainers || []), ...spec.containers].find((c) => c.name === 'telephone');
    report(t !== undefined && t.livenessProbe && t.readinessProbe && t.securityContext.readOnlyRootFilesystem,
      `${file}: a telephone with probes and a read-only root`);
    const data = find('ConfigMap')[0].data;
    const names = [...Object.keys(data), ...t.env.map((e) => e.name)].filter((n) => n !== 'POD_NAME');
    for (const n of names) report(KEYS.includes(n), `${file}: ${n} is no key of telephone's`);
    report(bytes(data.MEMORY_MAX) * 1.25 <= bytes(t.resources.limits.memory), `${file}: the memory limit is a quarter above MEMORY_MAX`);
    const seconds = parseInt(find('ConfigMap')[0].data.SHUTDOWN_TIMEOUT, 10);
    report(spec.terminationGracePeriodSeconds > seconds + 5, `${file}: the grace period is above SHUTDOWN_TIMEOUT`);
    for (const n of find('NetworkPolicy')) report(has(metadata.labels, n.spec.podSelector.matchLabels), `${file}: policy meets pods`);
    for (const p of find('PodDisruptionBudget')) report(has(metadata.labels, p.spec.selector.matchLabels), `${file}: budget meets pods`);
    for (const h of find('HorizontalPodAutoscaler')) {
      report(h.spec.scaleTargetRef.name === w.metadata.name && h.spec.scaleTargetRef.kind === w.kind, `${file}: HPA's target`);
      report(!('replicas' in w.spec), `${file}: each apply would undo what the HPA has scaled`);
      const tokens = Object.keys(secret.stringData).filter((k) => /^telephone-\d+$/.test(k)).length;
      report(h.spec.maxReplicas <= tokens, `${file}: more replicas than tokens`);
    }
    for (const v of spec.volumes || [])
      if (v.persistentVolumeClaim)
        report(find('PersistentVolumeClaim').some((c) => c.metadata.name === v.persistentVolumeClaim.claimName), `${file}: ${v.name}`);
    if (w.kind === 'Deployment') report(w.spec.replicas === 1, `${file}: a sidecar's token is for one replica`);
  }
}

// Our bases consist of resources alone, so kustomize is not needed to read them.
function load(file) {
  if (!fs.statSync(file).isDirectory()) return yaml.loadAll(fs.readFileSync(file, 'utf8')).filter(Boolean);
  const base = yaml.load(fs.readFileSync(path.join(file, 'kustomization.yaml'), 'utf8'));
  const known = ['apiVersion', 'kind', 'namespace', 'resources'];
  report(Object.keys(base).every((k) => known.includes(k)), `${file}: kustomization.yaml has what this does not read`);
  return base.resources.flatMap((r) => load(path.join(file, r)));
}

(async () => {
  for (const file of process.argv.slice(3)) {
    const docs = load(file);
    report(docs.length > 4, `${file} has manifests`);
    for (const d of docs) {
      const where = `${path.basename(file)}: ${d.kind}/${d.metadata.name}`;
      const custom = CUSTOM[`${d.apiVersion}/${d.kind}`];
      if (custom) {
        report(Object.keys(d.spec).every((k) => custom.includes(k)), `${where}: an unknown field`);
        continue;
      }
      report((await model(className(d))) !== null, `${where}: no such kind in the API`);
      await walk(d, className(d), where);
    }
    checkTogether(docs, path.basename(file));
  }
  console.log(failed ? 'FAIL' : 'ok  ', `kubernetes: ${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
})();
