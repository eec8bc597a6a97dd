// Use Odooport's REST API from TypeScript, with types made from its description.
//
// Start `odooport demo`, then here, with Node.js 24 and the key that it prints:
//
//     npm install
//     npm run types
//     npm run check
//     npm start http://127.0.0.1:8770 odp_...

import createClient from "openapi-fetch";

import type { components, paths } from "./odooport.ts";

type Problem = components["schemas"]["ProblemDetails"];

const [address, key] = process.argv.slice(2);
if (address === undefined || key === undefined) {
  throw new Error("Give the address and a key.");
}
const odoo = createClient<paths>({
  baseUrl: address,
  headers: { Authorization: `Bearer ${key}` },
});
const model = "res.partner";

/** Answer what came, or throw the problem that came in its place. */
function good<T>(answer: { data?: T; error?: Problem }): T {
  if (answer.data === undefined) {
    throw new Error(`${answer.error?.code}: ${answer.error?.detail}`);
  }
  return answer.data;
}

const found = good(
  await odoo.GET("/v1/models/{model}/records", {
    params: {
      path: { model },
      query: {
        domain: JSON.stringify([["is_company", "=", true]]),
        fields: "name,country_id",
        limit: 3,
        count: "exact",
      },
    },
  }),
);
console.log(`found ${found.records.length} of ${found.page.total}`);

const created = good(
  await odoo.POST("/v1/models/{model}/records", {
    params: { path: { model }, query: { fields: "name" } },
    body: { name: "Zoë", country_id: "Belgium" },
  }),
);
if (!("id" in created)) {
  throw new Error("Values of one record make one record.");
}
console.log(`created ${created["name"]}`);

const path = { model, id: created.id };
const changed = good(
  await odoo.PATCH("/v1/models/{model}/records/{id}", {
    params: { path, query: { fields: "city" } },
    body: { city: "Gent" },
  }),
);
console.log(`moved to ${changed["city"]}`);

// A name must be exact; the error's detail names the closest ones.
const refused = await odoo.PATCH("/v1/models/{model}/records/{id}", {
  params: { path },
  body: { country_id: "Belgum" },
});
console.log(`refused: ${refused.error?.code}`);

const { response } = await odoo.DELETE("/v1/models/{model}/records/{id}", {
  params: { path },
});
console.log(`deleted: ${response.status}`);

const gone = await odoo.GET("/v1/models/{model}/records/{id}", { params: { path } });
console.log(`gone: ${gone.error?.code}`);
