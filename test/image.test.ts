import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openProject, type Project } from "./project.ts";

interface ImageInfo {
  file: string;
  origin: string;
}

/** Header of a qcow2 file whose disk has this size; there is nothing in it. */
function emptyQcow2(virtualBytes: number): Buffer {
  const file = Buffer.alloc(2 ** 18);
  file.write("QFI\xfb", "latin1");
  file.writeUInt32BE(3, 4);
  file.writeUInt32BE(16, 20);
  file.writeBigUInt64BE(BigInt(virtualBytes), 24);
  file.writeUInt32BE(1, 36);
  file.writeBigUInt64BE(BigInt(2 ** 17), 40);
  return file;
}

describe("the image of a template, from nothing to nothing", () => {
  let project: Project;

  beforeAll(async () => {
    project = await openProject();
    const { lab } = project;
    const image = { url: lab.image.url, checksumUrl: lab.image.checksumUrl, keepImage: false };
    await project.configure((config) => {
      config.templates = { noble: { vmId: 9000, image } };
      config.cloneSets = {};
    });
  });
  afterAll(() => project?.close());

  const asked = async () => {
    const { images } = await project.lab.control.requests();
    return images.map(({ path }) => path).sort();
  };
  const cached = async () => {
    const { files } = await project.lab.control.state();
    return Object.keys(files).filter((file) => file.includes(":import/"));
  };

  it("that is compressed is refused at preview, with the place in the config and a way out", async () => {
    const { url } = project.lab.image;
    await project.configure(({ templates }) => {
      if (templates?.noble) templates.noble.image.url = `${url}.xz`;
    });
    const run = await project.pulumi("preview");
    expect(run.code).not.toBe(0);
    expect(run.diagnostics).toMatch(
      /templates\.noble\.image\.url.*compressed \(xz\), which PVE cannot import.*see docs\/images\.md/,
    );
    expect(await asked()).toEqual([]);
  });

  it("that is larger than the disk is refused before a VM is made", async () => {
    const { lab } = project;
    await lab.control.addImage("large.img", { base64: emptyQcow2(30 * 2 ** 30).toString("base64") });
    await project.configure(({ templates }) => {
      if (templates?.noble) templates.noble.image.url = `${lab.imagesUrl}/large.img`;
    });
    const run = await project.pulumi("up");
    expect(run.code).not.toBe(0);
    expect(run.diagnostics).toContain("set disk.sizeGiB to 30 or more");
    expect((await lab.control.vms())["9000"]).toBeUndefined();
  });

  it("is downloaded once for two templates, and its facts are shown", async () => {
    const { lab } = project;
    await project.configure(({ templates }) => {
      if (!templates?.noble) return;
      templates.noble.image.url = lab.image.url;
      templates.twin = { vmId: 9001, image: templates.noble.image };
    });
    await lab.control.clearRequests();
    const run = await project.pulumi("up");
    expect(run.diagnostics).toBe("");
    expect(run.code).toBe(0);
    const { pathname } = new URL(lab.image.url);
    expect(await asked()).toEqual(["/SHA256SUMS", "/SHA256SUMS", pathname]);

    const { templates } = (await project.outputs()) as { templates: Record<string, { image: ImageInfo }> };
    const [noble, twin] = [templates.noble?.image, templates.twin?.image];
    const file = `noble-server-cloudimg-amd64-${lab.image.checksum.slice("sha256:".length).slice(0, 16)}.qcow2`;
    expect(noble).toMatchObject({
      volumeId: `local:import/${file}`,
      file,
      format: "qcow2",
      sizeBytes: lab.image.size,
      virtualSizeBytes: 200 * 2 ** 20,
      checksum: lab.image.checksum,
    });
    expect(twin?.file).toBe(file);
    expect([noble?.origin, twin?.origin].sort()).toEqual(["cached", "downloaded"]);
    expect(run.output).toContain(`${file}: downloaded, qcow2, 0.2 MiB, disk 200 MiB, sha256 verified`);
  });

  it("is not asked for by the next up, and neither is the list", async () => {
    await project.lab.control.clearRequests();
    const run = await project.pulumi("up");
    expect(run.steps).toEqual([]);
    expect(await asked()).toEqual([]);
  });

  it("that somebody removed comes back with refresh and up, the list not read again", async () => {
    const [file = ""] = (await cached()).filter((name) => name.includes("noble-server"));
    await project.lab.control.removeFile("local", "import", file.split("/").at(-1) ?? "");
    await project.lab.control.clearRequests();
    const run = await project.pulumi("up", ["--refresh"]);
    expect(run.diagnostics).toBe("");
    expect(run.code).toBe(0);
    expect(run.changes).toMatchObject({ update: 2 });
    expect(await asked()).toEqual([new URL(project.lab.image.url).pathname]);
    expect(await cached()).toContain(file);
  });

  it("stays for the other template when one goes, and goes with the last one", async () => {
    await project.configure(({ templates }) => delete templates?.twin);
    const up = await project.pulumi("up");
    expect(up.diagnostics).toBe("");
    expect((await cached()).filter((name) => name.includes("noble-server"))).toHaveLength(1);
    const destroy = await project.pulumi("destroy");
    expect(destroy.diagnostics).toBe("");
    expect((await cached()).filter((name) => name.includes("noble-server"))).toEqual([]);
  });
});
